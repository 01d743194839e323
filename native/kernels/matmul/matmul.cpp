// SPDX-License-Identifier: Apache-2.0
//
// Matrix products of stacks of matrices. Scratch memory: that of gemm.hpp for each thread.
#include <initializer_list>

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

template <typename T>
ndk_status matmul_typed(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out) {
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

} // namespace

ndk_status matmul(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out) {
    for (const ndk_tensor *tensor : {x1, x2, out}) {
        if (const ndk_status status = check_tensor(tensor, tensor->dtype); status != NDK_OK) {
            return status;
        }
    }
    if (x1->dtype != x2->dtype || out->dtype != (x1->dtype == NDK_INT8 ? NDK_INT32 : x1->dtype) ||
        !multiplies(x1, x2, out)) {
        return NDK_INVALID_ARGUMENT;
    }
    switch (x1->dtype) {
    case NDK_FLOAT32:
        return matmul_typed<float>(host, x1, x2, out);
    case NDK_FLOAT64:
        return matmul_typed<double>(host, x1, x2, out);
    case NDK_FLOAT16:
        return matmul_typed<Float16>(host, x1, x2, out);
    case NDK_BFLOAT16:
        return with_bfloat16(host, [&](auto type) { return matmul_typed<decltype(type)>(host, x1, x2, out); });
    case NDK_INT8:
        return matmul_typed<std::int8_t>(host, x1, x2, out);
    default:
        return NDK_UNSUPPORTED_DTYPE;
    }
}

} // namespace ndk
