// SPDX-License-Identifier: Apache-2.0
//
// linear: inputs x (..., k), weight (n, k), bias (n), which may be missing; output out (..., n), all of one dtype:
// float32, float64, float16 or bfloat16; integers (activation), a number of `Activation`; no numbers.
//
// out = activation(x weight^T + bias), the definition of torch.nn.functional.linear, in one pass over out: bias and
// activation are applied to each tile while it is in the cache, for 16-bit floats before they are rounded.
// Packed weights are what matmul_pack makes of the transposed weight.
// Scratch memory: that of gemm.hpp for each thread, and n elements for the bias.
#include "call.hpp"
#include "gemm/packed_right.hpp"
#include "gemm/parallel.hpp"

namespace ndk {
namespace {

bool is_linear(const ndk_call *call) {
    const ndk_tensor *x = call->inputs[0];
    const ndk_tensor *weight = call->inputs[1];
    const ndk_tensor *bias = call->inputs[2];
    const ndk_tensor *out = call->outputs[0];
    if (x->ndim < 1 || out->ndim != x->ndim || weight->ndim != 2 || x->dtype != out->dtype ||
        weight->dtype != out->dtype || call->integers[0] < 0 || call->integers[0] >= kActivations) {
        return false;
    }
    const std::int32_t last = x->ndim - 1;
    for (std::int32_t axis = 0; axis < last; ++axis) {
        if (x->shape[axis] != out->shape[axis]) {
            return false;
        }
    }
    const std::int64_t n = weight->shape[0];
    return weight->shape[1] == x->shape[last] && out->shape[last] == n &&
           (bias == nullptr || (bias->ndim == 1 && bias->shape[0] == n && bias->dtype == out->dtype));
}

template <typename T>
Sum<T> widened(T value) {
    if constexpr (sizeof(T) == 2) {
        return to_float(value);
    } else {
        return value;
    }
}

template <typename T>
ndk_status linear_typed(const ndk_call *call) {
    constexpr std::int64_t kSize = static_cast<std::int64_t>(sizeof(T));
    const ndk_tensor *x = call->inputs[0];
    const ndk_tensor *weight = call->inputs[1];
    const ndk_tensor *bias = call->inputs[2];
    const ndk_tensor *out = call->outputs[0];
    const std::int32_t last = x->ndim - 1;
    LoopNest<2> rows;
    for (std::int32_t axis = 0; axis < last; ++axis) {
        rows.insert(out->shape[axis], {out->strides[axis], x->strides[axis]});
    }
    rows.merge();
    std::int64_t row[2]; // the strides of the axis that becomes the rows of the matrices; the rest are a batch of them
    Product<T> product;
    product.m = rows.take_inner(row);
    product.n = weight->shape[0];
    product.k = weight->shape[1];
    product.a = {static_cast<const T *>(x->data), row[1] / kSize, x->strides[last] / kSize};
    product.b = {static_cast<const T *>(weight->data), weight->strides[1] / kSize, weight->strides[0] / kSize};
    product.c = {static_cast<T *>(out->data), row[0] / kSize, out->strides[last] / kSize};
    if (rows.size * product.m * product.n == 0) {
        return NDK_OK;
    }
    const Scratch<Sum<T>> terms(call->host, bias == nullptr ? 0 : product.n);
    if (bias != nullptr) {
        if (terms.get() == nullptr) {
            return NDK_OUT_OF_MEMORY;
        }
        const char *from = static_cast<const char *>(bias->data);
        for (std::int64_t j = 0; j < product.n; ++j) {
            terms.get()[j] = widened(*reinterpret_cast<const T *>(from + j * bias->strides[0]));
        }
        product.epilogue.column_bias = terms.get();
    }
    product.epilogue.activation = static_cast<Activation>(call->integers[0]);
    const bool swapped = product.n == 1 || (product.m != 1 && product.c.column != 1 && product.c.row == 1);
    if (!swapped) {
        use_packed_right(call, product);
    }
    return multiply_all(call->host, rows.size, swapped ? product.transposed() : product,
                        [&](std::int64_t index, Product<T> &one) {
                            const Cursor<2> cursor(rows, index);
                            one.c.data += cursor.offset[0] / kSize;
                            (swapped ? one.b : one.a).data += cursor.offset[1] / kSize;
                        });
}

} // namespace

ndk_status operators::linear(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 3, 1, 1, 1, 0); status != NDK_OK) {
        return status;
    }
    if (!is_linear(call)) {
        return NDK_INVALID_ARGUMENT;
    }
    switch (call->outputs[0]->dtype) {
    case NDK_FLOAT32:
        return linear_typed<float>(call);
    case NDK_FLOAT64:
        return linear_typed<double>(call);
    case NDK_FLOAT16:
        return linear_typed<Float16>(call);
    case NDK_BFLOAT16:
        return with_bfloat16(call->host, [&](auto type) { return linear_typed<decltype(type)>(call); });
    default:
        return NDK_UNSUPPORTED_DTYPE;
    }
}

} // namespace ndk
