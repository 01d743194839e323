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

struct Rule {
    HelperRule rule;
    const ndk_helper *helper;
};

struct State {
    HelpersInForce wanted;
    std::vector<const ndk_helper *> helpers;
    std::vector<Rule> rules;
    bool outdated = false; // there are other rules now

    bool asks() const { return !helpers.empty() || !rules.empty(); }
};

std::mutex mutex; // guards what follows
std::vector<const ndk_helper *> &registered = *new std::vector<const ndk_helper *>;
std::vector<Rule> &rules = *new std::vector<Rule>;
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
        if (!state.outdated && state.wanted.names == wanted.names && state.wanted.origin == wanted.origin) {
            return state;
        }
    }
    State state;
    state.wanted = wanted;
    for (const std::string &name : wanted.names) {
        if (name == "auto") {
            state.rules = rules;
        }
        if (name != "off" && name != "auto") {
            state.helpers.push_back(&find_helper(name));
        }
    }
    return states.emplace_back(std::move(state));
}

void put_in_force(const State &next) {
    const State *before = in_force.exchange(&next, std::memory_order_acq_rel);
    // A call on another thread may see the new number with the old state, or the other way round: it asks nobody then.
    reasons_to_ask.fetch_add((next.asks() ? 1 : 0) - (before->asks() ? 1 : 0), std::memory_order_acq_rel);
}

// Of a call that a rule is for; an estimate, which does not overflow.
double work_of(const char *name, const ndk_call &call) {
    const auto size = [](const ndk_tensor &tensor) {
        double product = 1;
        for (std::int32_t axis = 0; axis < tensor.ndim; ++axis) {
            product *= static_cast<double>(tensor.shape[axis]);
        }
        return product;
    };
    const ndk_tensor &first = *call.inputs[0];
    const double made = size(*call.outputs[0]);
    if ((std::strcmp(name, "matmul") == 0 || std::strcmp(name, "linear") == 0) && first.ndim > 0) {
        return made * static_cast<double>(first.shape[first.ndim - 1]);
    }
    if (std::strcmp(name, "convolution") == 0 && call.inputs[1]->shape[0] > 0) {
        return made * size(*call.inputs[1]) / static_cast<double>(call.inputs[1]->shape[0]);
    }
    return size(first);
}

bool holds(const HelperRule &rule, const char *name, const ndk_call &call) {
    if (rule.operation != name || call.inputs[0] == nullptr || (rule.dtypes >> call.inputs[0]->dtype & 1U) == 0) {
        return false;
    }
    const double work = work_of(name, call);
    return work >= static_cast<double>(rule.min_work) &&
           (rule.max_work == 0 || work <= static_cast<double>(rule.max_work));
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
    put_in_force(state_for(wanted));
}

void set_rules(const std::vector<HelperRule> &wanted) {
    const std::lock_guard<std::mutex> lock(mutex);
    std::vector<Rule> found;
    for (const HelperRule &rule : wanted) {
        found.push_back({rule, &find_helper(rule.helper)});
    }
    rules = std::move(found);
    for (State &state : states) {
        state.outdated = state.outdated || state.wanted.names.front() == "auto";
    }
    if (const State *now = in_force.load(std::memory_order_acquire); now->wanted.names.front() == "auto") {
        put_in_force(state_for(HelpersInForce(now->wanted)));
    }
}

const HelpersInForce &helpers_in_force() { return in_force.load(std::memory_order_acquire)->wanted; }

const ndk_helper_operator *ask_helpers(const char *name, const ndk_call &call) {
    const bool explained = explaining();
    const State &state = *in_force.load(std::memory_order_acquire);
    std::string why;
    const auto ask = [&](const ndk_helper &helper, const std::string &measurement) -> const ndk_helper_operator * {
        const ndk_helper_operator *found = find_operator(helper, name);
        std::int32_t answer = NDK_LEAVES;
        if (found != nullptr) {
            const NotDuringFork here; // what it keeps between calls may be changing
            answer = found->takes(&call);
        }
        if (answer == NDK_TAKES) {
            if (!explained) {
                return found;
            }
            explain_choice(
                {name, helper.name, helper.version, why, state.wanted.names.front(), state.wanted.origin, measurement});
            return &nothing;
        }
        if (explained) {
            why += (why.empty() ? "" : ", and ") + std::string(helper.name) + " " +
                   (found != nullptr ? left_because(call, answer) : std::string("has no ") + name);
        }
        return nullptr;
    };
    for (const ndk_helper *helper : state.helpers) {
        if (const ndk_helper_operator *found = ask(*helper, ""); found != nullptr) {
            return found;
        }
    }
    for (const Rule &rule : state.rules) {
        if (holds(rule.rule, name, call)) {
            if (const ndk_helper_operator *found = ask(*rule.helper, rule.rule.measurement); found != nullptr) {
                return found;
            }
        }
    }
    if (explained) {
        explain_choice({name, "", "", why, state.wanted.names.front(), state.wanted.origin, ""});
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
