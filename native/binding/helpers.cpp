// SPDX-License-Identifier: Apache-2.0
#include "helpers.hpp"

#include <cstring>
#include <list>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "explaining.hpp"
#include "fork_gate.hpp"
#include "layout.hpp"

namespace ndkernels {

std::atomic<std::int32_t> reasons_to_ask{0};

namespace {

struct State {
    HelpersInForce wanted;
    std::vector<const ndk_helper *> helpers;
};

std::mutex mutex; // guards the two that follow
std::vector<const ndk_helper *> &registered = *new std::vector<const ndk_helper *>;
// Grows only, and what is in it stays where it is: a thread may be reading it while another one changes what is in
// force, or while the process ends. There are few, because the same wish is kept once.
std::list<State> &states = *new std::list<State>;

const State &default_state() {
    State state;
    state.wanted.names.emplace_back("auto");
    return states.emplace_back(std::move(state));
}

std::atomic<const State *> in_force{&default_state()};

const ndk_helper &find_helper(const std::string &name) {
    for (const ndk_helper *helper : registered) {
        if (name == helper->name) {
            return *helper;
        }
    }
    throw std::out_of_range(name);
}

const State &state_for(const HelpersInForce &wanted) {
    for (const State &state : states) {
        if (state.wanted.names == wanted.names && state.wanted.origin == wanted.origin) {
            return state;
        }
    }
    State state{wanted, {}};
    for (const std::string &name : wanted.names) {
        if (name != "off" && name != "auto") {
            state.helpers.push_back(&find_helper(name));
        }
    }
    return states.emplace_back(std::move(state));
}

// For a call that is only explained.
int32_t takes_everything(const ndk_call * /*call*/) { return NDK_TAKES; }
ndk_status compute_nothing(const ndk_call * /*call*/) { return NDK_OK; }
constexpr ndk_helper_operator nothing = {"", takes_everything, compute_nothing};

const ndk_helper_operator *find_operator(const ndk_helper &helper, const char *name) {
    for (std::int32_t i = 0; i < helper.operator_count; ++i) {
        if (std::strcmp(helper.operators[i].name, name) == 0) {
            return &helper.operators[i];
        }
    }
    return nullptr;
}

std::string left_because(const ndk_call &call, std::int32_t answer) {
    switch (answer) {
    case NDK_LEAVES_DTYPE:
        // Every operator has a first input that may not be missing.
        return std::string("does not take ") + name_of(static_cast<ndk_dtype>(call.inputs[0]->dtype));
    case NDK_LEAVES_SHAPE:
        return "does not take this shape";
    case NDK_LEAVES_STRIDES:
        return "does not take these strides";
    default:
        return "does not take this call";
    }
}

} // namespace

void register_helper(const ndk_helper &helper) {
    if (helper.struct_size < sizeof(ndk_helper)) {
        throw std::invalid_argument("a helper of another ABI");
    }
    const std::lock_guard<std::mutex> lock(mutex);
    for (const ndk_helper *each : registered) {
        if (std::strcmp(each->name, helper.name) == 0) {
            return;
        }
    }
    registered.push_back(&helper);
}

void forget_weights(std::uint64_t id) {
    const NotDuringFork here; // no child finds locks held
    std::vector<const ndk_helper *> helpers;
    {
        const std::lock_guard<std::mutex> lock(mutex);
        helpers = registered;
    }
    for (const ndk_helper *helper : helpers) {
        if (helper->forget != nullptr) {
            helper->forget(id);
        }
    }
}

void set_helpers(const HelpersInForce &wanted) {
    if (wanted.names.empty()) {
        throw std::invalid_argument("no name");
    }
    const std::lock_guard<std::mutex> lock(mutex);
    const State &next = state_for(wanted);
    const State *before = in_force.exchange(&next, std::memory_order_acq_rel);
    // A call on another thread may see the new number with the old state, or the other way round: it asks nobody then.
    reasons_to_ask.fetch_add((next.helpers.empty() ? 0 : 1) - (before->helpers.empty() ? 0 : 1),
                             std::memory_order_acq_rel);
}

const HelpersInForce &helpers_in_force() { return in_force.load(std::memory_order_acquire)->wanted; }

const ndk_helper_operator *ask_helpers(const char *name, const ndk_call &call) {
    const bool explained = explaining();
    const State &state = *in_force.load(std::memory_order_acquire);
    std::string why;
    for (const ndk_helper *helper : state.helpers) {
        const ndk_helper_operator *found = find_operator(*helper, name);
        std::int32_t answer = NDK_LEAVES;
        if (found != nullptr) {
            const NotDuringFork here; // what it keeps between calls may be changing
            answer = found->takes(&call);
        }
        if (answer == NDK_TAKES) {
            if (!explained) {
                return found;
            }
            explain_choice({name, helper->name, helper->version, why, state.wanted.names.front(), state.wanted.origin});
            return &nothing;
        }
        if (explained) {
            why += (why.empty() ? "" : ", and ") + std::string(helper->name) + " " +
                   (found != nullptr ? left_because(call, answer) : std::string("has no ") + name);
        }
    }
    if (explained) {
        explain_choice({name, "", "", why, state.wanted.names.front(), state.wanted.origin});
    }
    return nullptr;
}

ndk_status run_helper(const ndk_helper_operator &chosen, const ndk_call &call) {
    const NotDuringFork here;
    return chosen.run(&call);
}

std::vector<HelperCounters> helper_counters() {
    std::vector<HelperCounters> found;
    const std::lock_guard<std::mutex> lock(mutex);
    for (const ndk_helper *helper : registered) {
        if (helper->count != nullptr) {
            std::int64_t counters[4] = {};
            helper->count(&counters);
            found.push_back({helper->name, counters[0], counters[1], counters[2], counters[3]});
        }
    }
    return found;
}

} // namespace ndkernels
