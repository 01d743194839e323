// SPDX-License-Identifier: Apache-2.0
//
// matmul and linear.
#include "gemm/epilogue.hpp"
#include "host.hpp"
#include "onednn/operators.hpp"
#include "views.hpp"

namespace ndk::onednn {
namespace {

// Rows or columns in one piece, which follow each other without overlapping; others would be copied element by element.
bool has_pieces(std::int64_t rows, std::int64_t row, std::int64_t columns, std::int64_t column) {
    return (column == 1 || columns == 1 ? row >= columns || rows == 1 : row == 1 || rows == 1) && row > 0 &&
           column > 0 && (row == 1 || rows == 1 || column == 1 || columns == 1) &&
           (column == 1 || column >= rows || columns == 1);
}

// A stack of matrices: an axis of the stack that is broadcast has the extent 1.
ConstDesc matrices(Builder &builder, const ndk_tensor *tensor) {
    std::int64_t shape[kMostDims];
    std::int64_t strides[kMostDims];
    const std::int32_t ndim = tensor->ndim;
    if (ndim > kMostDims) {
        return nullptr;
    }
    for (std::int32_t axis = 0; axis < ndim; ++axis) {
        shape[axis] = tensor->shape[axis];
        strides[axis] = tensor->strides[axis] / item_size(tensor->dtype);
        if (axis + 2 < ndim && strides[axis] == 0) {
            shape[axis] = 1;
        }
    }
    if (!has_pieces(shape[ndim - 2], strides[ndim - 2], shape[ndim - 1], strides[ndim - 1])) {
        return nullptr;
    }
    return builder.strided(tensor, ndim, shape, strides);
}

// The leading axes of a tensor as one, if they are: its stride, in elements; 0 if not.
std::int64_t row_stride(const ndk_tensor *tensor) {
    std::int64_t stride = 0;
    std::int64_t extent = 1;
    for (std::int32_t axis = tensor->ndim - 2; axis >= 0; --axis) {
        if (tensor->shape[axis] == 1) {
            continue;
        }
        if (stride != 0 && tensor->strides[axis] != stride * extent) {
            return 0;
        }
        stride = stride == 0 ? tensor->strides[axis] : stride;
        extent *= tensor->shape[axis];
    }
    const std::int64_t size = item_size(tensor->dtype);
    return stride == 0 ? tensor->shape[tensor->ndim - 1] : stride / size;
}

// The right operand as it is, or where it is reordered once for many calls as oneDNN likes it best.
ConstDesc wanted_weights(Builder &builder, ConstDesc as_it_is, const ndk_tensor *tensor) {
    if (!shares_weights(&builder.call())) {
        return as_it_is;
    }
    std::int64_t shape[kMostDims];
    for (std::int32_t axis = 0; axis < tensor->ndim; ++axis) {
        shape[axis] = axis + 2 < tensor->ndim && tensor->strides[axis] == 0 ? 1 : tensor->shape[axis];
    }
    return builder.any(tensor->ndim, shape, tensor->dtype);
}

// oneDNN's own activations lose NaN.
void activate_rows(const ndk_call *call) {
    const ndk_tensor *out = call->outputs[0];
    const auto activation = static_cast<Activation>(call->integers[0]);
    const std::int64_t n = out->shape[out->ndim - 1];
    const std::int64_t rows = byte_count(out) / item_size(out->dtype) / n;
    const std::int64_t stride = row_stride(out);
    auto *data = static_cast<float *>(out->data);
    const std::int64_t parts = parts_for(call->host, rows * n / (1 << 14));
    parallel_for(call->host, parts, [&](std::int64_t part) {
        const std::int64_t end = part_begin(rows, parts, part + 1, 1);
        for (std::int64_t row = part_begin(rows, parts, part, 1); row < end; ++row) {
            activate(activation, data + row * stride, n);
        }
    });
}

} // namespace

bool build_matmul(Builder &builder) {
    const ndk_tensor *first = builder.tensor(0);
    if (first->dtype == NDK_INT8) {
        // Sums of products of int8 with an offset of 128: beyond, they leave 32 bits. Without VNNI, two products are
        // added up in 16 bits, which they leave.
        constexpr std::int64_t kMostProducts = std::int64_t{1} << 16;
        const ndk_host *host = builder.call().host;
        if (first->shape[first->ndim - 1] > kMostProducts || host->has_feature(host->context, "avx512_vnni") == 0) {
            return false;
        }
    }
    const ConstDesc x1 = matrices(builder, builder.tensor(0));
    const ConstDesc x2 = matrices(builder, builder.tensor(1));
    const ConstDesc out = matrices(builder, builder.tensor(2));
    const ConstDesc weights = x2 == nullptr ? nullptr : wanted_weights(builder, x2, builder.tensor(1));
    if (x1 == nullptr || weights == nullptr || out == nullptr ||
        api.matmul_primitive_desc_create(builder.made(), api.engine, x1, weights, nullptr, out, builder.attributes()) !=
            status::kSuccess) {
        return false;
    }
    builder.argument(role::kSource, 0, false, x1);
    builder.argument(role::kWeights, 1, false, x2);
    builder.argument(role::kDestination, 2, true, out);
    return true;
}

bool build_linear(Builder &builder) {
    const ndk_tensor *x = builder.tensor(0);
    const ndk_tensor *weight = builder.tensor(1);
    const ndk_tensor *bias = builder.tensor(2);
    const ndk_tensor *out = builder.tensor(3);
    const std::int64_t size = item_size(x->dtype);
    if (weight->ndim != 2 || x->ndim < 1 || out->ndim != x->ndim || weight->dtype != x->dtype ||
        out->dtype != x->dtype) {
        return false;
    }
    const std::int32_t last = x->ndim - 1;
    const std::int64_t k = x->shape[last];
    const std::int64_t n = out->shape[last];
    if (weight->shape[0] != n || weight->shape[1] != k ||
        (bias != nullptr && (bias->ndim != 1 || bias->shape[0] != n || bias->dtype != x->dtype))) {
        return false;
    }
    std::int64_t rows = 1;
    for (std::int32_t axis = 0; axis < last; ++axis) {
        if (out->shape[axis] != x->shape[axis]) {
            return false;
        }
        rows *= x->shape[axis];
    }
    const auto desc = [&](const ndk_tensor *tensor, std::int64_t count, std::int64_t row, std::int64_t columns,
                          std::int64_t column) -> ConstDesc {
        const std::int64_t shape[] = {count, columns};
        const std::int64_t strides[] = {row, column};
        return has_pieces(count, row, columns, column) ? builder.strided(tensor, 2, shape, strides) : nullptr;
    };
    const ConstDesc left = desc(x, rows, row_stride(x), k, x->strides[last] / size);
    const ConstDesc right = desc(weight, k, weight->strides[1] / size, n, weight->strides[0] / size);
    const ConstDesc result = desc(out, rows, row_stride(out), n, out->strides[last] / size);
    const ConstDesc terms = bias == nullptr ? nullptr : desc(bias, 1, n, n, bias->strides[0] / size);
    if (left == nullptr || right == nullptr || result == nullptr || (bias != nullptr && terms == nullptr)) {
        return false;
    }
    if (builder.call().integers[0] != 0) {
        if (x->dtype != NDK_FLOAT32 || out->strides[last] != size) {
            return false;
        }
        builder.then(activate_rows);
    }
    const std::int64_t right_shape[] = {k, n};
    const ConstDesc weights = shares_weights(&builder.call()) ? builder.any(2, right_shape, weight->dtype) : right;
    if (weights == nullptr || api.matmul_primitive_desc_create(builder.made(), api.engine, left, weights, terms, result,
                                                               builder.attributes()) != status::kSuccess) {
        return false;
    }
    builder.argument(role::kSource, 0, false, left);
    builder.argument(role::kWeights, 1, false, right);
    if (bias != nullptr) {
        builder.argument(role::kBias, 2, false, terms);
    }
    builder.argument(role::kDestination, 3, true, result);
    return true;
}

} // namespace ndk::onednn
