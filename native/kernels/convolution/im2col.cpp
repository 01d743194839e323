// SPDX-License-Identifier: Apache-2.0
//
// im2col: inputs x (batch, channels, height, width); outputs out (batch, channels * kernel height * kernel width,
// places), of x's dtype (float32, float64); the integers of convolution.cpp (channels_last and groups are not looked
// at), then kernel height, kernel width, and height and width of the places, whose product out has. No scratch memory.
#include "convolution/arguments.hpp"
#include "convolution/partial.hpp"

namespace ndk {
namespace {

using namespace convolution;

// One row of places: what one tap of the kernel meets along a line of the image.
template <typename T>
void copy_line(const T *line, std::int64_t x_step, std::int64_t width, std::int64_t column, std::int64_t stride, T *to,
               std::int64_t to_step, std::int64_t count) {
    std::int64_t i = 0;
    for (; i < count && column < 0; ++i, column += stride) {
        to[i * to_step] = T{0};
    }
    const std::int64_t there = line == nullptr || column >= width ? 0 : (width - column - 1) / stride + 1;
    const std::int64_t inside = there < count - i ? there : count - i;
    if (to_step == 1 && inside > 0) {
        copy_spread(line + column * x_step, stride * x_step, to + i, inside);
        i += inside;
    } else {
        for (const std::int64_t end = i + inside; i < end; ++i, column += stride) {
            to[i * to_step] = line[column * x_step];
        }
    }
    for (; i < count; ++i) {
        to[i * to_step] = T{0};
    }
}

template <typename T>
ndk_status im2col_typed(const ndk_call *call) {
    const Settings settings(call->integers);
    const Volume x(call->inputs[0], false);
    const ndk_tensor *out = call->outputs[0];
    const std::int64_t *kernel = call->integers + kSettings;
    const std::int64_t *places = kernel + 2;
    const std::int64_t taps = kernel[0] * kernel[1];
    constexpr std::int64_t kSize = static_cast<std::int64_t>(sizeof(T));
    constexpr std::int64_t kGrain = std::int64_t{1} << 15; // elements that are worth a thread
    const std::int64_t rows = out->shape[0] * out->shape[1];
    const std::int64_t parts = parts_for(call->host, rows * out->shape[2] / kGrain);
    parallel_for(call->host, parts, [&](std::int64_t part) {
        const std::int64_t end = part_begin(rows, parts, part + 1, 1);
        for (std::int64_t row = part_begin(rows, parts, part, 1); row < end; ++row) {
            const std::int64_t image = row / out->shape[1];
            const std::int64_t column = row % out->shape[1];
            const std::int64_t channel = column / taps;
            const std::int64_t tap_line = column % taps / kernel[1];
            const std::int64_t tap_column = column % kernel[1];
            const T *from =
                static_cast<const T *>(call->inputs[0]->data) + image * x.outer_stride + channel * x.inner_stride;
            T *to = static_cast<T *>(out->data) + (image * out->strides[0] + column * out->strides[1]) / kSize;
            const std::int64_t step = out->strides[2] / kSize;
            for (std::int64_t i = 0; i < places[0]; ++i) {
                const std::int64_t line = i * settings.stride[1] - settings.pad[1] + tap_line * settings.dilation[1];
                const bool there = line >= 0 && line < x.space[1];
                copy_line(there ? from + line * x.strides[1] : nullptr, x.strides[2], x.space[2],
                          tap_column * settings.dilation[2] - settings.pad[2], settings.stride[2],
                          to + i * places[1] * step, step, places[1]);
            }
        }
    });
    return NDK_OK;
}

} // namespace

ndk_status operators::im2col(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 1, 0, 1, kSettings + 4, 0); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *x = call->inputs[0];
    const ndk_tensor *out = call->outputs[0];
    const Settings settings(call->integers);
    if (x->dtype != out->dtype || x->ndim != 4 || out->ndim != 3 || out->shape[0] != x->shape[0]) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!is_float(x->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    std::int64_t rows = x->shape[1];
    std::int64_t places = 1;
    bool good = countable(Volume(x, false));
    for (int axis = 0; axis < 2; ++axis) {
        const std::int64_t kernel = call->integers[kSettings + axis];
        const std::int64_t count = call->integers[kSettings + 2 + axis];
        good = good && kernel >= 1 && small(kernel) && count >= 0 && small(count) && small(x->shape[2 + axis]) &&
               settings.stride[1 + axis] >= 1 && small(settings.stride[1 + axis]) && settings.dilation[1 + axis] >= 1 &&
               small(settings.dilation[1 + axis]) && small(settings.pad[1 + axis]) &&
               !__builtin_mul_overflow(rows, kernel, &rows) && !__builtin_mul_overflow(places, count, &places);
    }
    if (!good || out->shape[1] != rows || out->shape[2] != places) {
        return NDK_INVALID_ARGUMENT;
    }
    if (out->shape[0] * rows == 0 || places == 0) {
        return NDK_OK;
    }
    return x->dtype == NDK_FLOAT32 ? im2col_typed<float>(call) : im2col_typed<double>(call);
}

} // namespace ndk
