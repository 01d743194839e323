// SPDX-License-Identifier: Apache-2.0
//
// The limits of the machine, as this library's code can reach them; `python -m tools.bench` gives every speed as a
// share of these.
//
// probe_multiply_add: no inputs; outputs a float32 or float64 without dimensions, which receives a sum that depends on
// all that was computed, and an int64 without dimensions, which receives the number of floating-point operations;
// integers (steps); no numbers. On one thread, in registers.
//
// probe_triad: inputs b, c; output a, all one-dimensional, contiguous, of one size and of float32; a = b + 3 c as in
// McCalpin's STREAM (1995), on all threads. Stores go through the caches.
#include "call.hpp"
#include "host.hpp"
#include "shuffle.hpp"

namespace ndk {
namespace {

// Enough independent chains for two units with a latency of up to five cycles, and few enough for the registers.
constexpr int kChains = kVectorRegisters == 32 ? 24 : 12;

constexpr std::int64_t kMostSteps = std::int64_t{1} << 40;

template <typename T>
T multiply_add(std::int64_t steps) {
    Vec<T> sums[kChains];
    for (int i = 0; i < kChains; ++i) {
        sums[i] = splat(static_cast<T>(i));
    }
    Vec<T> factor = splat(T{1} / 2);
    Vec<T> term = splat(T{1});
    for (std::int64_t step = 0; step < steps; ++step) {
        asm volatile("" : "+x"(factor), "+x"(term)); // not known to be the same in the next step
#pragma GCC unroll 24
        for (int i = 0; i < kChains; ++i) {
            sums[i] = sums[i] * factor + term;
        }
    }
    Vec<T> total{};
    for (int i = 0; i < kChains; ++i) {
        total += sums[i];
    }
    return sum_of_lanes<T>(total);
}

bool is_vector(const ndk_tensor *tensor, std::int64_t size) {
    return tensor->dtype == NDK_FLOAT32 && tensor->ndim == 1 && tensor->shape[0] == size &&
           (size < 2 || tensor->strides[0] == sizeof(float));
}

} // namespace

ndk_status operators::probe_multiply_add(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 0, 0, 2, 1, 0); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *out = call->outputs[0];
    const ndk_tensor *operations = call->outputs[1];
    const std::int64_t steps = call->integers[0];
    if (out->ndim != 0 || !is_float(out->dtype) || operations->ndim != 0 || operations->dtype != NDK_INT64 ||
        steps < 0 || steps > kMostSteps) {
        return NDK_INVALID_ARGUMENT;
    }
    if (out->dtype == NDK_FLOAT32) {
        *static_cast<float *>(out->data) = multiply_add<float>(steps);
    } else {
        *static_cast<double *>(out->data) = multiply_add<double>(steps);
    }
    const std::int64_t lanes = out->dtype == NDK_FLOAT32 ? kLanes<float> : kLanes<double>;
    *static_cast<std::int64_t *>(operations->data) = 2 * kChains * lanes * steps;
    return NDK_OK;
}

ndk_status operators::probe_triad(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 2, 0, 1, 0, 0); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *out = call->outputs[0];
    const std::int64_t size = out->ndim == 1 ? out->shape[0] : -1;
    if (!is_vector(out, size) || !is_vector(call->inputs[0], size) || !is_vector(call->inputs[1], size)) {
        return NDK_INVALID_ARGUMENT;
    }
    float *a = static_cast<float *>(out->data);
    const float *b = static_cast<const float *>(call->inputs[0]->data);
    const float *c = static_cast<const float *>(call->inputs[1]->data);
    const std::int64_t parts = parts_for(call->host, size / 4096);
    parallel_for(call->host, parts, [&](std::int64_t part) {
        const std::int64_t end = part_begin(size, parts, part + 1, kLanes<float>);
        std::int64_t i = part_begin(size, parts, part, kLanes<float>);
        for (; i + kLanes<float> <= end; i += kLanes<float>) {
            store(a + i, load(b + i) + load(c + i) * 3.0f);
        }
        for (; i < end; ++i) {
            a[i] = b[i] + c[i] * 3.0f;
        }
    });
    return NDK_OK;
}

} // namespace ndk
