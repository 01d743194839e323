// SPDX-License-Identifier: Apache-2.0
//
// oneDNN as a helper: which operators it has, and how it is opened.
#include "onednn/helper.hpp"

#include <unistd.h>

#include "onednn/cache.hpp"
#include "onednn/operators.hpp"
#include "onednn/weights.hpp"

namespace ndk::onednn {
namespace {

// GNU's OpenMP runtime waits for threads that a forked child does not have: there, the kernels compute.
pid_t opened_in;

// How many tensors and so on a call has, as the kernels take it. The last inputs, but for `required` ones, may be
// missing.
struct Operator {
    const char *name;
    Build build;
    std::int32_t inputs, required, outputs, integers, numbers;
};

constexpr Operator kOperators[] = {
    {"avg_pool", build_avg_pool, 1, 1, 1, 16, 0},
    {"batch_norm", build_batch_norm, 5, 3, 1, 1, 1},
    {"convolution", build_convolution, 3, 2, 1, 11, 0},
    {"convolution_input_gradient", build_convolution_input_gradient, 3, 2, 1, 11, 0},
    {"convolution_weight_gradient", build_convolution_weight_gradient, 2, 2, 1, 11, 0},
    {"layer_norm", build_layer_norm, 3, 1, 1, 1, 1},
    {"linear", build_linear, 3, 2, 1, 1, 0},
    {"local_response_norm", build_local_response_norm, 1, 1, 1, 2, 3},
    {"lstm", build_lstm, 8, 1, 3, 1, 0},
    {"matmul", build_matmul, 2, 2, 1, 0, 0},
};
constexpr int kCount = sizeof(kOperators) / sizeof(*kOperators);

// Helpers are asked before the kernels, which answer what is wrong with a call.
bool is_complete(const Operator &op, const ndk_call *call) {
    if (call->input_count != op.inputs || call->output_count != op.outputs || call->integer_count != op.integers ||
        call->number_count != op.numbers) {
        return false;
    }
    for (int i = 0; i < op.required; ++i) {
        if (call->inputs[i] == nullptr) {
            return false;
        }
    }
    return true;
}

template <int index>
std::int32_t takes(const ndk_call *call) {
    if (!is_complete(kOperators[index], call)) {
        return NDK_LEAVES;
    }
    for (int i = 0; i < call->input_count + call->output_count; ++i) {
        const ndk_tensor *tensor = i < call->input_count ? call->inputs[i] : call->outputs[i - call->input_count];
        if (tensor != nullptr && data_type_of(tensor->dtype) == 0) {
            return NDK_LEAVES_DTYPE;
        }
    }
    if (getpid() != opened_in) {
        return NDK_LEAVES;
    }
    return has_program(kOperators[index].name, kOperators[index].build, call) ? NDK_TAKES : NDK_LEAVES;
}

template <int index>
ndk_status run(const ndk_call *call) {
    return run_program(kOperators[index].name, kOperators[index].build, call);
}

ndk_helper helper;
ndk_helper_operator operators[kCount];

template <int index>
void fill() {
    if constexpr (index < kCount) {
        operators[index] = {kOperators[index].name, takes<index>, run<index>};
        fill<index + 1>();
    }
}

void count(std::int64_t (*counters)[4]) {
    const CacheCounters now = cache_counters();
    (*counters)[0] = now.hits;
    (*counters)[1] = now.misses;
    (*counters)[2] = now.evictions;
    (*counters)[3] = now.entries;
}

ndk_status open(const ndk_host * /*host*/, ndk_find_symbol find, void *library, const char *version,
                const ndk_helper **result) {
    Api found{};
    // A function pointer is stored through its bytes: C++ has no cast from void * to it that all compilers take.
    const auto look_up = [&](const char *name, auto &function) {
        void *symbol = find(library, name);
        __builtin_memcpy(&function, &symbol, sizeof(function));
        return symbol != nullptr;
    };
#define NDK_ONEDNN_LOOK_UP(name, type, parameters)                                                                     \
    if (!look_up("dnnl_" #name, found.name)) {                                                                         \
        return NDK_INVALID_ARGUMENT;                                                                                   \
    }
    NDK_ONEDNN_FUNCTIONS(NDK_ONEDNN_LOOK_UP)
#undef NDK_ONEDNN_LOOK_UP
    if (!look_up("omp_get_max_threads", found.omp_get_max_threads) ||
        !look_up("omp_set_num_threads", found.omp_set_num_threads)) {
        return NDK_INVALID_ARGUMENT;
    }
    if (found.version()->major != 3) { // another major version has other declarations
        return NDK_ABI_MISMATCH;
    }
    if (found.engine_create(&found.engine, kCpu, 0) != status::kSuccess) {
        return NDK_OUT_OF_MEMORY;
    }
    api = found;
    opened_in = getpid();
    fill<0>();
    helper = {sizeof(ndk_helper), kCount, "onednn", version, operators, count, forget_weights};
    *result = &helper;
    return NDK_OK;
}

} // namespace

const ndk_helper_source helper_source = {"onednn", open};

} // namespace ndk::onednn
