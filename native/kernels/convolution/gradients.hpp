// SPDX-License-Identifier: Apache-2.0
//
// The gradients of a convolution are convolutions of other views of the same memory.
#ifndef NDK_CONVOLUTION_GRADIENTS_HPP
#define NDK_CONVOLUTION_GRADIENTS_HPP

#include "problem.hpp"

namespace ndk::convolution {

inline std::int64_t greatest_divisor(std::int64_t a, std::int64_t b) {
    while (b != 0) {
        const std::int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

inline std::int64_t modulo(std::int64_t a, std::int64_t b) { return (a % b + b) % b; }

// The part of the gradient with respect to x, written to `forward.x`'s place in `x`, at the places phase, phase +
// stride, ... of each axis. Of the weights, every `stride / gcd(stride, dilation)`th meets these places, or none. With
// `problem.y` the gradient that comes in, it is a convolution of it with stride 1 and those weights in reverse.
// `forward` is the problem whose gradient it is: its y is read, its x is written, its bias is that of x's channels.
template <typename T>
Problem<T> input_gradient(const Problem<T> &forward, T *x, const std::int64_t (&phase)[kAxes]) {
    Problem<T> back = forward;
    back.channels = forward.filters;
    back.filters = forward.channels;
    back.x = forward.y;
    back.x_batch = forward.y_batch;
    back.x_group = forward.y_group;
    back.x_channel = forward.y_filter;
    back.w_filter = forward.w_channel;
    back.w_channel = forward.w_filter;
    back.y = x;
    back.y_batch = forward.x_batch;
    back.y_group = forward.x_group;
    back.y_filter = forward.x_channel;
    for (int axis = 0; axis < kAxes; ++axis) {
        const std::int64_t stride = forward.stride[axis];
        const std::int64_t dilation = forward.dilation[axis];
        const std::int64_t every = stride / greatest_divisor(stride, dilation);
        // Tap k meets place i where i + pad - k * dilation is a multiple of stride.
        const std::int64_t target = modulo(phase[axis] + forward.pad[axis], stride);
        std::int64_t first = 0;
        while (first < every && first < forward.kernel[axis] && modulo(first * dilation, stride) != target) {
            ++first;
        }
        const std::int64_t kernel = forward.kernel[axis];
        const std::int64_t count = first < every && first < kernel ? (kernel - first - 1) / every + 1 : 0;
        const std::int64_t last = count == 0 ? 0 : first + (count - 1) * every;
        back.in[axis] = forward.out[axis];
        back.out[axis] = phase[axis] < forward.in[axis] ? (forward.in[axis] - phase[axis] - 1) / stride + 1 : 0;
        back.kernel[axis] = count;
        back.stride[axis] = 1;
        back.dilation[axis] = every * dilation / stride;
        // Place phase + stride * j meets tap `last` at j + (phase + pad - last * dilation) / stride of y: exact.
        back.pad[axis] = count == 0 ? 0 : -((phase[axis] + forward.pad[axis] - last * dilation) / stride);
        back.x_space[axis] = forward.y_space[axis];
        back.w += last * forward.w_space[axis];
        back.w_space[axis] = -every * forward.w_space[axis];
        back.y += phase[axis] * forward.x_space[axis];
        back.y_space[axis] = stride * forward.x_space[axis];
    }
    return back;
}

// The gradient with respect to the weights, written to `w`: the images are the channels, the gradient that comes in
// has the part of the weights, and stride and dilation change places.
template <typename T>
Problem<T> weight_gradient(const Problem<T> &forward, T *w) {
    Problem<T> back = forward;
    back.batch = forward.channels;
    back.channels = forward.batch;
    back.x_batch = forward.x_channel;
    back.x_channel = forward.x_batch;
    back.w = forward.y;
    back.w_channel = forward.y_batch;
    back.w_group = forward.y_group;
    back.w_filter = forward.y_filter;
    back.y = w;
    back.y_batch = forward.w_channel;
    back.y_group = forward.w_group;
    back.y_filter = forward.w_filter;
    back.bias = nullptr;
    for (int axis = 0; axis < kAxes; ++axis) {
        back.kernel[axis] = forward.out[axis];
        back.out[axis] = forward.kernel[axis];
        back.stride[axis] = forward.dilation[axis];
        back.dilation[axis] = forward.stride[axis];
        back.w_space[axis] = forward.y_space[axis];
        back.y_space[axis] = forward.w_space[axis];
    }
    return back;
}

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_GRADIENTS_HPP
