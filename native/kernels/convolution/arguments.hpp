// SPDX-License-Identifier: Apache-2.0
//
// From the tensors of a call to a problem.
#ifndef NDK_CONVOLUTION_ARGUMENTS_HPP
#define NDK_CONVOLUTION_ARGUMENTS_HPP

#include "call.hpp"
#include "problem.hpp"

namespace ndk::convolution {

// The integers that all operators of this family begin with: channels_last (0 or 1), groups, and per spatial axis
// stride, dilation and the padding at the begin: kSettings in all.
inline constexpr int kSettings = 2 + 3 * kAxes;

// A tensor of images, (batch, channels, spatial...) or with channels_last (batch, spatial..., channels), or of weights,
// which are always (filters, channels, spatial...): with missing spatial axes, extents and strides in elements.
struct Volume {
    std::int64_t outer, inner; // batch and channels, or filters and channels
    std::int64_t space[kAxes];
    std::int64_t outer_stride, inner_stride, strides[kAxes];

    Volume(const ndk_tensor *tensor, bool channels_last) {
        const std::int64_t size = item_size(tensor->dtype);
        const std::int32_t spatial = tensor->ndim - 2;
        const std::int32_t channel_axis = channels_last ? tensor->ndim - 1 : 1;
        outer = tensor->shape[0];
        outer_stride = tensor->strides[0] / size;
        inner = tensor->shape[channel_axis];
        inner_stride = tensor->strides[channel_axis] / size;
        for (std::int32_t axis = 0; axis < kAxes; ++axis) {
            const std::int32_t from = axis - (kAxes - spatial) + (channels_last ? 1 : 2);
            const bool there = axis >= kAxes - spatial;
            space[axis] = there ? tensor->shape[from] : 1;
            strides[axis] = there ? tensor->strides[from] / size : 0;
        }
    }
};

struct Settings {
    bool channels_last;
    std::int64_t groups;
    std::int64_t stride[kAxes], dilation[kAxes], pad[kAxes];

    explicit Settings(const std::int64_t *integers) : channels_last(integers[0] != 0), groups(integers[1]) {
        for (int axis = 0; axis < kAxes; ++axis) {
            stride[axis] = integers[2 + axis];
            dilation[axis] = integers[2 + kAxes + axis];
            pad[axis] = integers[2 + 2 * kAxes + axis];
        }
    }
};

inline bool small(std::int64_t value) { return value >= -(std::int64_t{1} << 31) && value < std::int64_t{1} << 31; }

// Whether the number of elements is no overflow: with strides of 0, it may be larger than memory.
inline bool countable(const Volume &volume) {
    const std::int64_t extents[] = {volume.outer, volume.inner, volume.space[0], volume.space[1], volume.space[2]};
    std::int64_t product = 64;
    for (const std::int64_t extent : extents) {
        if (__builtin_mul_overflow(product, extent > 0 ? extent : 1, &product)) {
            return false;
        }
    }
    return true;
}

// Whether images x (batch, groups * channels, ...), weights (groups * filters, channels, ...) and images y (batch,
// groups * filters, ...) fit each other, and no index of theirs overflows.
inline bool fits(const Volume &x, const Volume &w, const Volume &y, const Settings &settings) {
    const std::int64_t groups = settings.groups;
    bool good = groups >= 1 && x.outer == y.outer && x.inner / groups == w.inner && x.inner % groups == 0 &&
                w.outer == y.inner && w.outer % groups == 0;
    good = good && countable(x) && countable(w) && countable(y);
    for (int axis = 0; axis < kAxes; ++axis) {
        good = good && settings.stride[axis] >= 1 && settings.dilation[axis] >= 1 && small(settings.stride[axis]) &&
               small(settings.dilation[axis]) && small(settings.pad[axis]) && small(x.space[axis]) &&
               small(w.space[axis]) && small(y.space[axis]);
    }
    return good;
}

template <typename T>
Problem<T> problem_of(const ndk_tensor *x, const ndk_tensor *w, const ndk_tensor *y, const ndk_tensor *bias,
                      const Settings &settings) {
    const Volume from(x, settings.channels_last);
    const Volume weights(w, false);
    const Volume to(y, settings.channels_last);
    Problem<T> problem{};
    problem.batch = from.outer;
    problem.groups = settings.groups;
    problem.channels = weights.inner;
    problem.filters = weights.outer / settings.groups;
    for (int axis = 0; axis < kAxes; ++axis) {
        problem.in[axis] = from.space[axis];
        problem.kernel[axis] = weights.space[axis];
        problem.out[axis] = to.space[axis];
        problem.stride[axis] = settings.stride[axis];
        problem.dilation[axis] = settings.dilation[axis];
        problem.pad[axis] = settings.pad[axis];
        problem.x_space[axis] = from.strides[axis];
        problem.w_space[axis] = weights.strides[axis];
        problem.y_space[axis] = to.strides[axis];
    }
    problem.x = static_cast<const T *>(x->data);
    problem.x_batch = from.outer_stride;
    problem.x_channel = from.inner_stride;
    problem.x_group = problem.channels * from.inner_stride;
    problem.w = static_cast<const T *>(w->data);
    problem.w_filter = weights.outer_stride;
    problem.w_channel = weights.inner_stride;
    problem.w_group = problem.filters * weights.outer_stride;
    problem.y = static_cast<T *>(y->data);
    problem.y_batch = to.outer_stride;
    problem.y_filter = to.inner_stride;
    problem.y_group = problem.filters * to.inner_stride;
    if (bias != nullptr) {
        problem.bias = static_cast<const T *>(bias->data);
        problem.bias_filter = bias->strides[0] / static_cast<std::int64_t>(sizeof(T));
        problem.bias_group = problem.filters * problem.bias_filter;
    }
    return problem;
}

// Checks what x, w and y of one call have in common, and an optional bias of one element per channel of y.
inline ndk_status check_volumes(const ndk_tensor *x, const ndk_tensor *w, const ndk_tensor *y, const ndk_tensor *bias,
                                const Settings &settings) {
    if (x->dtype != w->dtype || x->dtype != y->dtype || x->ndim != w->ndim || x->ndim != y->ndim || x->ndim < 3 ||
        x->ndim > 2 + kAxes || (bias != nullptr && (bias->dtype != x->dtype || bias->ndim != 1))) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!is_float(x->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    const Volume to(y, settings.channels_last);
    if (!fits(Volume(x, settings.channels_last), Volume(w, false), to, settings) ||
        (bias != nullptr && bias->shape[0] != to.inner)) {
        return NDK_INVALID_ARGUMENT;
    }
    return NDK_OK;
}

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_ARGUMENTS_HPP
