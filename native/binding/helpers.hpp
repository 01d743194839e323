// SPDX-License-Identifier: Apache-2.0
//
// Libraries of somebody else that compute some calls in place of the kernel library, and who is asked for which call.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "ndkernels.h"

namespace ndkernels {

// From now on it can be asked for; until the process ends. Throws std::invalid_argument for one of another ABI; one
// whose name is taken changes nothing.
void register_helper(const ndk_helper &helper);

// Tells them that weights are gone which they may have kept something of.
void forget_weights(std::uint64_t id);

// For which calls a registered helper is used under {"auto"}; the work is in multiply-adds.
struct HelperRule {
    std::string operation;
    std::string helper;
    std::uint32_t dtypes; // one bit for each, as Dtypes has it
    std::int64_t min_work;
    std::int64_t max_work;   // 0 for no bound
    std::string measurement; // which one says so
};

// In place of those before. Throws std::out_of_range with the name of a helper that is not registered.
void set_rules(const std::vector<HelperRule> &rules);

// What is in force for the whole process: {"off"}, {"auto"} (what the rules say), or the names of helpers in the order
// in which they are asked. `origin` says by whom, for messages; empty where nobody did.
struct HelpersInForce {
    std::vector<std::string> names;
    std::string origin;
};

// Throws std::out_of_range with the name of a helper that is not registered, and
// std::invalid_argument without a name; nothing is changed then.
void set_helpers(const HelpersInForce &wanted);
const HelpersInForce &helpers_in_force();

// How many reasons there are to look further: helpers in force, and threads that only want to know who would compute.
extern std::atomic<std::int32_t> reasons_to_ask;

const ndk_helper_operator *ask_helpers(const char *name, const ndk_call &call);

// Who computes the call of the operator `name`: NULL for the kernel library.
inline const ndk_helper_operator *choose(const char *name, const ndk_call &call) {
    return reasons_to_ask.load(std::memory_order_acquire) == 0 ? nullptr : ask_helpers(name, call);
}

// Computes a call that was chosen to go there; fork() waits for it.
ndk_status run_helper(const ndk_helper_operator &chosen, const ndk_call &call);

struct HelperCounters {
    std::string name;
    std::int64_t hits, misses, evictions, entries;
};

// Of those helpers that keep something between calls
std::vector<HelperCounters> helper_counters();

} // namespace ndkernels
