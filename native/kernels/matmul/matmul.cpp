// SPDX-License-Identifier: Apache-2.0
//
// Matrix products of stacks of matrices. Scratch memory: that of gemm.hpp for each thread.
//
// matmul: as the function of the table, inputs x1 and x2, output out; with packed weights where x2 is one matrix.
// matmul_pack: input x2 (k, n); output as ndk_packed says.
#include <initializer_list>

#include "call.hpp"
#include "gemm/packed_right.hpp"
#include "gemm/parallel.hpp"
#include "kernels.hpp"
#include "views.hpp"

namespace ndk {
namespace {

template <typename T>
Matrix<T> matrix_of(const ndk_tensor *tensor) {
    constexpr std::int64_t kSize = static_cast<std::int64_t>(sizeof(T));
    const std::int64_t *strides = tensor->strides + tensor->ndim - 2;
    return {static_cast<T *>(tensor->data), strides[0] / kSize, strides[1] / kSize};
}

// compute(T{}) with the type of operand that a dtype is.
template <typename Compute>
ndk_status with_operand(const ndk_host *host, std::int32_t dtype, const Compute &compute) {
    switch (dtype) {
    case NDK_FLOAT32:
        return compute(float{});
    case NDK_FLOAT64:
        return compute(double{});
    case NDK_FLOAT16:
        return compute(Float16{});
    case NDK_BFLOAT16:
        return with_bfloat16(host, compute);
    case NDK_INT8:
        return compute(std::int8_t{});
    default:
        return NDK_UNSUPPORTED_DTYPE;
    }
}

bool is_one_matrix(const ndk_tensor *x) {
    for (std::int32_t axis = 0; axis < x->ndim - 2; ++axis) {
        if (x->strides[axis] != 0 && x->shape[axis] > 1) {
            return false;
        }
    }
    return true;
}

// `call` may be null.
template <typename T>
ndk_status matmul_typed(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out,
                        const ndk_call *call) {
    LoopNest<3> batch;
    for (std::int32_t axis = 0; axis < out->ndim - 2; ++axis) {
        batch.insert(out->shape[axis], {out->strides[axis], x1->strides[axis], x2->strides[axis]});
    }
    batch.merge();
    Product<T> product;
    product.m = out->shape[out->ndim - 2];
    product.n = out->shape[out->ndim - 1];
    product.k = x1->shape[x1->ndim - 1];
    product.a = matrix_of<const T>(x1);
    product.b = matrix_of<const T>(x2);
    product.c = matrix_of<Result<T>>(out);
    // The rows of c are written in vectors; and a single column is computed as a single row.
    const bool swapped = product.n == 1 || (product.m != 1 && product.c.column != 1 && product.c.row == 1);
    if (call != nullptr && !swapped && is_one_matrix(x2)) {
        use_packed_right(call, product);
    }
    return multiply_all(host, batch.size, swapped ? product.transposed() : product,
                        [&](std::int64_t index, Product<T> &one) {
                            const Cursor<3> cursor(batch, index);
                            constexpr std::int64_t kSize = static_cast<std::int64_t>(sizeof(T));
                            one.c.data += cursor.offset[0] / static_cast<std::int64_t>(sizeof(Result<T>));
                            one.a.data += cursor.offset[swapped ? 2 : 1] / kSize;
                            one.b.data += cursor.offset[swapped ? 1 : 2] / kSize;
                        });
}

bool multiplies(const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out) {
    const std::int32_t ndim = out->ndim;
    if (ndim < 2 || x1->ndim != ndim || x2->ndim != ndim) {
        return false;
    }
    for (std::int32_t axis = 0; axis < ndim - 2; ++axis) {
        if (x1->shape[axis] != out->shape[axis] || x2->shape[axis] != out->shape[axis]) {
            return false;
        }
    }
    return x1->shape[ndim - 2] == out->shape[ndim - 2] && x2->shape[ndim - 1] == out->shape[ndim - 1] &&
           x1->shape[ndim - 1] == x2->shape[ndim - 2];
}

ndk_status multiply(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out,
                    const ndk_call *call) {
    for (const ndk_tensor *tensor : {x1, x2, out}) {
        if (const ndk_status status = check_tensor(tensor, tensor->dtype); status != NDK_OK) {
            return status;
        }
    }
    if (x1->dtype != x2->dtype || out->dtype != (x1->dtype == NDK_INT8 ? NDK_INT32 : x1->dtype) ||
        !multiplies(x1, x2, out)) {
        return NDK_INVALID_ARGUMENT;
    }
    return with_operand(host, x1->dtype,
                        [&](auto type) { return matmul_typed<decltype(type)>(host, x1, x2, out, call); });
}

template <typename T>
ndk_status pack_typed(const ndk_call *call) {
    constexpr std::int64_t kSize = static_cast<std::int64_t>(sizeof(T));
    const ndk_tensor *b = call->inputs[0];
    const std::int64_t k = b->shape[0];
    const std::int64_t n = b->shape[1];
    const Matrix<const T> matrix{static_cast<const T *>(b->data), b->strides[0] / kSize, b->strides[1] / kSize};
    return pack_weights<Packed<T>>(call, right_key<T>(k, n), worth_packing_right<T>(k, n), [&](Packed<T> *to) {
        pack_right(matrix, k, n, to);
        return NDK_OK;
    });
}

} // namespace

ndk_status matmul(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out) {
    return multiply(host, x1, x2, out, nullptr);
}

ndk_status operators::matmul(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 2, 0, 1, 0, 0); status != NDK_OK) {
        return status;
    }
    return multiply(call->host, call->inputs[0], call->inputs[1], call->outputs[0], call);
}

ndk_status operators::matmul_pack(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 1, 0, 1, 0, 0); status != NDK_OK) {
        return status;
    }
    if (call->inputs[0]->ndim != 2) {
        return NDK_INVALID_ARGUMENT;
    }
    return with_operand(call->host, call->inputs[0]->dtype,
                        [&](auto type) { return pack_typed<decltype(type)>(call); });
}

} // namespace ndk
