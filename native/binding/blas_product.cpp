// SPDX-License-Identifier: Apache-2.0
#include "blas_product.hpp"

#include <algorithm>

namespace ndkernels {
namespace {

// False where BLAS cannot read or write the matrix where it lies.
bool read_matrix(const ndk_tensor &tensor, std::int64_t item, BlasMatrix &matrix) {
    const std::int64_t rows = tensor.shape[tensor.ndim - 2];
    const std::int64_t columns = tensor.shape[tensor.ndim - 1];
    const std::int64_t down = tensor.strides[tensor.ndim - 2] / item;
    const std::int64_t across = tensor.strides[tensor.ndim - 1] / item;
    // The stride along an axis of extent 1 means nothing.
    if ((columns == 1 || across == 1) && (rows == 1 || down >= columns)) {
        matrix = {true, rows == 1 ? columns : down};
        return true;
    }
    if ((rows == 1 || down == 1) && (columns == 1 || across >= rows)) {
        matrix = {false, columns == 1 ? rows : across};
        return true;
    }
    return false;
}

// How far apart the rows of all `m`-row matrices along an axis lie, where they are the rows of one matrix; 0 elsewhere.
std::int64_t joined_rows(const BlasMatrix &matrix, std::int64_t m, std::int64_t columns, std::int64_t stride) {
    if (!matrix.rows) {
        return 0;
    }
    if (m == 1) {
        return stride >= columns ? stride : 0;
    }
    return stride == m * matrix.leading ? matrix.leading : 0;
}

// Makes one product of those along the last axis of the stack, where they share their right factor and its rows follow
// one another: one call of BLAS is faster than many.
bool fold_last_axis(const ndk_call &call, std::int64_t item, BlasProduct &product) {
    const std::int32_t axis = product.stack_ndim - 1;
    const ndk_tensor &out = *call.outputs[0];
    const std::int64_t extent = out.shape[axis];
    if (extent != 1) {
        if (call.inputs[1]->strides[axis] != 0) {
            return false;
        }
        const std::int64_t from = joined_rows(product.x1, product.m, product.k, call.inputs[0]->strides[axis] / item);
        const std::int64_t to = joined_rows(product.out, product.m, product.n, out.strides[axis] / item);
        if (from == 0 || to == 0) {
            return false;
        }
        product.x1.leading = from;
        product.out.leading = to;
        product.m *= extent;
    }
    product.stack_ndim = axis;
    return true;
}

} // namespace

std::int32_t read_blas_product(const ndk_call &call, BlasProduct &product) {
    if (call.input_count != 2 || call.output_count != 1) {
        return NDK_LEAVES;
    }
    const ndk_tensor &x1 = *call.inputs[0];
    const ndk_tensor &x2 = *call.inputs[1];
    const ndk_tensor &out = *call.outputs[0];
    if ((x1.dtype != NDK_FLOAT32 && x1.dtype != NDK_FLOAT64) || x2.dtype != x1.dtype || out.dtype != x1.dtype) {
        return NDK_LEAVES_DTYPE;
    }
    // BLAS asks for leading dimensions of at least 1, and the kernels write the zeros of k = 0 themselves.
    const auto is_empty = [](const ndk_tensor &tensor) {
        return std::find(tensor.shape, tensor.shape + tensor.ndim, 0) != tensor.shape + tensor.ndim;
    };
    if (is_empty(x1) || is_empty(x2)) {
        return NDK_LEAVES_SHAPE;
    }
    const std::int64_t item = item_size(static_cast<ndk_dtype>(x1.dtype));
    product.m = out.shape[out.ndim - 2];
    product.n = out.shape[out.ndim - 1];
    product.k = x1.shape[x1.ndim - 1];
    if (!read_matrix(x1, item, product.x1) || !read_matrix(x2, item, product.x2) ||
        !read_matrix(out, item, product.out)) {
        return NDK_LEAVES_STRIDES;
    }
    product.stack_ndim = out.ndim - 2;
    while (product.stack_ndim > 0 && fold_last_axis(call, item, product)) {
    }
    return NDK_TAKES;
}

} // namespace ndkernels
