// SPDX-License-Identifier: Apache-2.0
//
// What surrounds each call of a kernel: the table in use, the interpreter's lock and the status.
#pragma once

#include <nanobind/nanobind.h>

#include "restore_thread.hpp"

#include "ndkernels.h"

namespace ndkernels {

// Below this many elements the kernel is done before the lock would have been given back and taken again.
constexpr std::int64_t elements_worth_unlocking = 8192;

class Unlocked {
public:
    explicit Unlocked(bool wanted) : state_(wanted ? PyEval_SaveThread() : nullptr) {}
    ~Unlocked() {
        if (state_ != nullptr) {
            restore_thread(state_);
        }
    }
    Unlocked(const Unlocked &) = delete;
    Unlocked &operator=(const Unlocked &) = delete;

private:
    PyThreadState *state_;
};

// One that does nothing where this thread only explains. Throws std::runtime_error where no library is in use.
const ndk_table &table();

// Throws what a status other than NDK_OK stands for. `name` is the function's.
void check(ndk_status status, const char *name);

} // namespace ndkernels
