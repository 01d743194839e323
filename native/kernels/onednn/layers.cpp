// SPDX-License-Identifier: Apache-2.0
//
// Means of windows, and normalizations. Not maxima of windows and softmax, which oneDNN computes without passing NaN
// on.
#include "onednn/operators.hpp"
#include "pooling/geometry.hpp"
#include "views.hpp"

namespace ndk::onednn {
namespace {

// oneDNN takes other strides than those of C, too, and layer_norm is wrong then.
bool dense(const ndk_tensor *tensor) {
    std::int64_t stride = item_size(tensor->dtype);
    for (std::int32_t axis = tensor->ndim - 1; axis >= 0; --axis) {
        if (tensor->shape[axis] != 1 && tensor->strides[axis] != stride) {
            return false;
        }
        stride *= tensor->shape[axis];
    }
    return true;
}

bool consecutive(const ndk_tensor *tensor) {
    return tensor->ndim == 1 && (tensor->strides[0] == item_size(tensor->dtype) || tensor->shape[0] == 1);
}

// (batch, channels, space...), whatever the tensor's own order is
ConstDesc image(Builder &builder, const ndk_tensor *tensor, const Image &read, int spatial) {
    std::int64_t shape[kImageAxes];
    std::int64_t strides[kImageAxes];
    const std::int64_t size = item_size(tensor->dtype);
    for (int axis = 0; axis < spatial + 2; ++axis) {
        const int from = axis < 2 ? axis : kImageAxes - spatial + axis - 2;
        shape[axis] = read.extent[from];
        strides[axis] = read.stride[from] / size;
    }
    return builder.strided(tensor, spatial + 2, shape, strides);
}

} // namespace

bool build_avg_pool(Builder &builder) {
    const ndk_call &call = builder.call();
    const ndk_tensor *x = builder.tensor(0);
    const ndk_tensor *out = builder.tensor(1);
    Pool pool{};
    Image from{};
    Image to{};
    if (x->dtype != NDK_FLOAT32 || !dense(x) || !dense(out) || !read_pool(call.integers, pool) || pool.adaptive ||
        !read_image(x, call.integers[0], call.integers[1], from) ||
        !read_image(out, call.integers[0], call.integers[1], to) || !same_planes(from, to) ||
        !windows_fit(pool, from, to)) {
        return false;
    }
    const int spatial = static_cast<int>(call.integers[0]);
    Dims steps, kernel, gaps, before, behind;
    for (int i = 0; i < spatial; ++i) {
        const int axis = kSpatial - spatial + i;
        steps[i] = pool.stride[axis];
        kernel[i] = pool.kernel[axis];
        gaps[i] = pool.dilation[axis] - 1;
        before[i] = pool.padding[axis];
        behind[i] = (to.extent[kDepth + axis] - 1) * pool.stride[axis] + (pool.kernel[axis] - 1) * pool.dilation[axis] +
                    1 - from.extent[kDepth + axis] - before[i];
        // A last window that reaches beyond the padding is divided by less; and negative padding is none.
        if (behind[i] < 0 || behind[i] > before[i] || gaps[i] != 0) {
            return false;
        }
    }
    const ConstDesc source = image(builder, x, from, spatial);
    const ConstDesc result = image(builder, out, to, spatial);
    const int mean = pool.include_pad ? alg::kPoolingAvgIncludePadding : alg::kPoolingAvgExcludePadding;
    if (source == nullptr || result == nullptr ||
        api.pooling_forward_primitive_desc_create(builder.made(), api.engine, prop::kInference, mean, source, result,
                                                  steps, kernel, gaps, before, behind,
                                                  builder.attributes()) != status::kSuccess) {
        return false;
    }
    builder.argument(role::kSource, 0, false, source);
    builder.argument(role::kDestination, 1, true, result);
    return true;
}

bool build_layer_norm(Builder &builder) {
    const ndk_call &call = builder.call();
    const ndk_tensor *x = builder.tensor(0);
    const std::int32_t last = x->ndim - 1;
    if (x->dtype != NDK_FLOAT32 || last < 1 || call.integers[0] != last || !dense(x) || !dense(builder.tensor(3)) ||
        !same_shape(x, builder.tensor(3))) {
        return false;
    }
    // The weights are broadcast to x's shape: oneDNN takes those that are the same for all lines.
    ConstDesc terms[2] = {};
    for (int i = 0; i < 2; ++i) {
        const ndk_tensor *weight = builder.tensor(1 + i);
        if (weight == nullptr) {
            continue;
        }
        if (weight->dtype != x->dtype || !same_shape(weight, x)) {
            return false;
        }
        for (std::int32_t axis = 0; axis < last; ++axis) {
            if (weight->shape[axis] > 1 && weight->strides[axis] != 0) {
                return false;
            }
        }
        const std::int64_t shape[] = {weight->shape[last]};
        const std::int64_t strides[] = {weight->strides[last] / item_size(weight->dtype)};
        terms[i] = strides[0] == 1 ? builder.strided(weight, 1, shape, strides) : nullptr;
        if (terms[i] == nullptr) {
            return false;
        }
    }
    const ConstDesc from = builder.as_it_is(x);
    const ConstDesc to = builder.as_it_is(builder.tensor(3));
    const unsigned flags = (terms[0] != nullptr ? kUseScale : 0) | (terms[1] != nullptr ? kUseShift : 0);
    if (from == nullptr || to == nullptr ||
        api.layer_normalization_forward_primitive_desc_create(builder.made(), api.engine, prop::kInference, from, to,
                                                              nullptr, static_cast<float>(call.numbers[0]), flags,
                                                              builder.attributes()) != status::kSuccess) {
        return false;
    }
    builder.argument(role::kSource, 0, false, from);
    if (terms[0] != nullptr) {
        builder.argument(role::kScale, 1, false, terms[0]);
    }
    if (terms[1] != nullptr) {
        builder.argument(role::kShift, 2, false, terms[1]);
    }
    builder.argument(role::kDestination, 3, true, to);
    return true;
}

bool build_batch_norm(Builder &builder) {
    const ndk_call &call = builder.call();
    const ndk_tensor *x = builder.tensor(0);
    if (x->dtype != NDK_FLOAT32 || x->ndim < 2 || x->ndim > 5 || call.integers[0] != 1 || !dense(x) ||
        !dense(builder.tensor(5)) || !same_shape(x, builder.tensor(5))) {
        return false;
    }
    const ndk_tensor *scale = builder.tensor(3);
    const ndk_tensor *shift = builder.tensor(4);
    for (int i = 1; i < 5; ++i) {
        const ndk_tensor *each = builder.tensor(i);
        if (each != nullptr && (!consecutive(each) || each->dtype != x->dtype || each->shape[0] != x->shape[1])) {
            return false;
        }
    }
    const ConstDesc from = builder.as_it_is(x);
    const ConstDesc to = builder.as_it_is(builder.tensor(5));
    const unsigned flags = kUseGlobalStats | (scale != nullptr ? kUseScale : 0) | (shift != nullptr ? kUseShift : 0);
    if (from == nullptr || to == nullptr ||
        api.batch_normalization_forward_primitive_desc_create(builder.made(), api.engine, prop::kInference, from, to,
                                                              static_cast<float>(call.numbers[0]), flags,
                                                              builder.attributes()) != status::kSuccess) {
        return false;
    }
    builder.argument(role::kSource, 0, false, from);
    builder.argument(role::kMean, 1, false, builder.as_it_is(builder.tensor(1)));
    builder.argument(role::kVariance, 2, false, builder.as_it_is(builder.tensor(2)));
    if (scale != nullptr) {
        builder.argument(role::kScale, 3, false, builder.as_it_is(scale));
    }
    if (shift != nullptr) {
        builder.argument(role::kShift, 4, false, builder.as_it_is(shift));
    }
    builder.argument(role::kDestination, 5, true, to);
    return true;
}

bool build_local_response_norm(Builder &builder) {
    const ndk_call &call = builder.call();
    const ndk_tensor *x = builder.tensor(0);
    // A window of even size is not in the middle.
    if (x->dtype != NDK_FLOAT32 || x->ndim != 4 || call.integers[1] != 1 || call.integers[0] % 2 == 0 || !dense(x) ||
        !dense(builder.tensor(1)) || !same_shape(x, builder.tensor(1))) {
        return false;
    }
    const ConstDesc from = builder.as_it_is(x);
    const ConstDesc to = builder.as_it_is(builder.tensor(1));
    if (from == nullptr || to == nullptr ||
        api.lrn_forward_primitive_desc_create(builder.made(), api.engine, prop::kInference, alg::kLrnAcrossChannels,
                                              from, to, call.integers[0], static_cast<float>(call.numbers[0]),
                                              static_cast<float>(call.numbers[1]), static_cast<float>(call.numbers[2]),
                                              builder.attributes()) != status::kSuccess) {
        return false;
    }
    builder.argument(role::kSource, 0, false, from);
    builder.argument(role::kDestination, 1, true, to);
    return true;
}

} // namespace ndk::onednn
