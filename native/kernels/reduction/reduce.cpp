// SPDX-License-Identifier: Apache-2.0
//
// Every reduction: what it asks of its tensors, and the family that does it.
//
// The operators variance and standard_deviation: inputs x; outputs out; no integers; numbers (correction). As for
// `reduce` of the table, `out` has x's dimensions with an extent of 1 along the axes that go. The divisor is max(count
// - correction, 0), as in NumPy.
#include "call.hpp"
#include "kernels.hpp"
#include "reduction/kernels.hpp"
#include "reduction/layout.hpp"

namespace ndk {
namespace {

std::int32_t result_dtype(ndk_reduce_op op, std::int32_t dtype) {
    switch (op) {
    case NDK_ARGMAX:
    case NDK_ARGMIN:
        return NDK_INT64;
    case NDK_ALL:
    case NDK_ANY:
        return NDK_BOOL;
    default:
        return dtype;
    }
}

bool is_empty(const ndk_tensor *tensor) {
    for (std::int32_t axis = 0; axis < tensor->ndim; ++axis) {
        if (tensor->shape[axis] == 0) {
            return true;
        }
    }
    return false;
}

ndk_status deviation(const ndk_call *call, bool root) {
    if (const ndk_status status = check_call(call, 1, 0, 1, 0, 1); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *x = call->inputs[0];
    const ndk_tensor *out = call->outputs[0];
    if (x->dtype != out->dtype || !reduces(x, out)) {
        return NDK_INVALID_ARGUMENT;
    }
    return is_float(x->dtype) ? reductions::variance(call->host, call->numbers[0], root, x, out)
                              : NDK_UNSUPPORTED_DTYPE;
}

} // namespace

ndk_status operators::standard_deviation(const ndk_call *call) { return deviation(call, true); }
ndk_status operators::variance(const ndk_call *call) { return deviation(call, false); }

ndk_status reduce(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    const bool logical = op == NDK_ALL || op == NDK_ANY;
    if (!is_float(x->dtype) && !(logical && x->dtype == NDK_BOOL)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    if (const ndk_status status = check_tensor(x, x->dtype); status != NDK_OK) {
        return status;
    }
    if (const ndk_status status = check_tensor(out, result_dtype(op, x->dtype)); status != NDK_OK) {
        return status;
    }
    if (!reduces(x, out)) {
        return NDK_INVALID_ARGUMENT;
    }
    switch (op) {
    case NDK_SUM:
    case NDK_PROD:
    case NDK_MEAN:
        return reductions::add_up(host, op, x, out);
    case NDK_MAX:
    case NDK_MIN:
    case NDK_ARGMAX:
    case NDK_ARGMIN:
        if (is_empty(x) && !is_empty(out)) {
            return NDK_INVALID_ARGUMENT;
        }
        return op == NDK_MAX || op == NDK_MIN ? reductions::extremum(host, op, x, out)
                                              : reductions::place(host, op, x, out);
    case NDK_LOGSUMEXP:
        return reductions::logsumexp(host, x, out);
    case NDK_ALL:
    case NDK_ANY:
        return reductions::truth(host, op, x, out);
    }
    return NDK_INVALID_ARGUMENT;
}

} // namespace ndk
