// SPDX-License-Identifier: Apache-2.0
//
// Calls that go all the way of a real one, with its checks and its choice of who computes, and compute nothing.
#pragma once

#include <string>
#include <vector>

#include "ndkernels.h"

namespace ndkernels {

struct Choice {
    std::string operation;
    std::string helper; // empty for the kernel library
    std::string version;
    std::string why;         // what those that were asked before answered
    std::string mode;        // the first name of what was in force when they were asked
    std::string origin;      // and who wanted that
    std::string measurement; // by which a rule of auto chose the helper
};

// While one exists, the calls of this thread compute nothing; what they return has undefined elements.
class Explaining {
public:
    Explaining();
    ~Explaining();
    Explaining(const Explaining &) = delete;
    Explaining &operator=(const Explaining &) = delete;

    const std::vector<Choice> &choices() const { return choices_; }

private:
    friend void explain_choice(Choice choice);
    std::vector<Choice> choices_;
    Explaining *before_;
};

// Whether this thread is inside of one.
bool explaining() noexcept;

// Adds what was chosen to the innermost one.
void explain_choice(Choice choice);

// A table like `real` whose functions do nothing.
const ndk_table &idle_table(const ndk_table &real);

} // namespace ndkernels
