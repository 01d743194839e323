// SPDX-License-Identifier: Apache-2.0
//
// Batch normalization (Ioffe and Szegedy, 2015), as ONNX's BatchNormalization and torch.nn.functional.batch_norm have
// it.
//
// batch_norm: inputs x, mean, variance, weight (optional), bias (optional), the last four contiguous of shape
// (channels); outputs out, of x's shape; integers (the axis of channels); numbers (epsilon). All of one dtype, float32
// or float64. (x - mean) / sqrt(variance + epsilon) * weight + bias. Scratch memory: three numbers for each channel,
// and where x's strides are unusual one block of 256 elements on the stack.
//
// batch_moments: inputs x; outputs mean and variance (of the population: divided by the number of elements), contiguous
// of shape (channels); integers (axis); no numbers. In two passes, added up in double. 0 elements give NaN.
//
// batch_norm_backward: inputs the gradient g of the result, x, mean, variance, weight (optional); outputs the gradients
// of x, of weight and of bias; g, x and its gradient are contiguous of shape (n, channels, m), the others of shape
// (channels); integers (whether mean and variance are those of x); numbers (epsilon). No scratch memory.
#include <initializer_list>

#include "normalization/contiguous.hpp"
#include "normalization/line_loops.hpp"
#include "normalization/lines.hpp"

namespace ndk {
namespace {

constexpr std::int64_t kStretch = 256; // elements that are gathered at once

// All axes but that of the channels, as rows of x (and out).
template <int Count>
struct Rows {
    LoopNest<Count> outer;
    std::int64_t inner[Count];
    std::int64_t extent;
    std::int64_t channels;
    std::int64_t channel_stride[Count];

    Rows(const ndk_tensor *const (&tensors)[Count], std::int32_t axis) : channels(tensors[0]->shape[axis]) {
        for (std::int32_t i = 0; i < tensors[0]->ndim; ++i) {
            std::int64_t strides[Count];
            for (int view = 0; view < Count; ++view) {
                strides[view] = tensors[view]->strides[i];
                if (i == axis) {
                    channel_stride[view] = strides[view];
                }
            }
            if (i != axis) {
                outer.insert(tensors[0]->shape[i], strides);
            }
        }
        outer.merge();
        extent = outer.take_inner(inner);
    }
};

// visit(data, count) for stretches of a row of x: where it lies, or gathered.
template <typename T, typename Visit>
void for_stretches(const char *row, std::int64_t stride, std::int64_t extent, const Visit &visit) {
    if (stride == static_cast<std::int64_t>(sizeof(T)) || extent == 1) {
        visit(reinterpret_cast<const T *>(row), extent);
        return;
    }
    T block[kStretch];
    for (std::int64_t begin = 0; begin < extent; begin += kStretch) {
        const std::int64_t count = extent - begin < kStretch ? extent - begin : kStretch;
        gather(row + begin * stride, stride, block, count);
        visit(block, count);
    }
}

template <typename T>
ndk_status batch_norm_typed(const ndk_call *call, std::int32_t axis) {
    const ndk_tensor *x = call->inputs[0];
    const ndk_tensor *out = call->outputs[0];
    const std::int64_t channels = out->shape[axis];
    const Scratch<T> scratch(call->host, 3 * channels);
    if (channels > 0 && scratch.get() == nullptr) {
        return NDK_OUT_OF_MEMORY;
    }
    T *mean = scratch.get();
    T *scale = mean + channels;
    T *shift = scale + channels;
    const auto number = [&](int input, std::int64_t i, T fallback) {
        return call->inputs[input] == nullptr ? fallback : static_cast<const T *>(call->inputs[input]->data)[i];
    };
    for (std::int64_t i = 0; i < channels; ++i) {
        mean[i] = number(1, i, 0);
        const double spread = __builtin_sqrt(static_cast<double>(number(2, i, 0)) + call->numbers[0]);
        scale[i] = static_cast<T>(static_cast<double>(number(3, i, 1)) / spread);
        shift[i] = number(4, i, 0);
    }
    const auto apply = [](Vec<T> each, Vec<T> m, Vec<T> s, Vec<T> b) { return (each - m) * s + b; };
    if (out->strides[axis] == static_cast<std::int64_t>(sizeof(T)) && channels >= kLanes<T>) {
        const Lines<T, 2> lines({out, x}, axis);
        return lines.each(call->host,
                          [&](T *const(&data)[2]) { map_line(data[0], channels, apply, data[1], mean, scale, shift); });
    }
    const Rows<2> rows({out, x}, axis);
    const std::int64_t tasks = rows.outer.size * channels;
    const std::int64_t parts = parts_for(call->host, tasks * rows.extent / kLineGrain);
    parallel_for(call->host, parts < tasks ? parts : tasks, [&](std::int64_t part) {
        const std::int64_t threads = parts < tasks ? parts : tasks;
        const std::int64_t end = part_begin(tasks, threads, part + 1, 1);
        for (std::int64_t task = part_begin(tasks, threads, part, 1); task < end && rows.extent > 0; ++task) {
            const std::int64_t channel = task % channels;
            const Cursor<2> cursor(rows.outer, task / channels);
            char *to = static_cast<char *>(out->data) + cursor.offset[0] + channel * rows.channel_stride[0];
            const char *from = static_cast<const char *>(x->data) + cursor.offset[1] + channel * rows.channel_stride[1];
            const Vec<T> m = splat(mean[channel]);
            const Vec<T> s = splat(scale[channel]);
            const Vec<T> b = splat(shift[channel]);
            for_stretches<T>(from, rows.inner[1], rows.extent, [&](const T *data, std::int64_t count) {
                if (rows.inner[0] == static_cast<std::int64_t>(sizeof(T)) || rows.extent == 1) {
                    map_line(reinterpret_cast<T *>(to), count, [&](Vec<T> each) { return apply(each, m, s, b); }, data);
                    to += count * static_cast<std::int64_t>(sizeof(T));
                    return;
                }
                for (std::int64_t i = 0; i < count; ++i, to += rows.inner[0]) {
                    *reinterpret_cast<T *>(to) = (data[i] - mean[channel]) * scale[channel] + shift[channel];
                }
            });
        }
    });
    return NDK_OK;
}

template <typename T>
ndk_status batch_moments_typed(const ndk_call *call, std::int32_t axis) {
    const ndk_tensor *x = call->inputs[0];
    T *mean = static_cast<T *>(call->outputs[0]->data);
    T *variance = static_cast<T *>(call->outputs[1]->data);
    const Rows<1> rows({x}, axis);
    const std::int64_t size = rows.outer.size * rows.extent;
    // sum(channel, body) of body over all elements of a channel
    const auto sum = [&](std::int64_t channel, const auto &body) {
        double total = 0.0;
        if (size == 0) {
            return total;
        }
        Cursor<1> cursor(rows.outer, 0);
        for (std::int64_t row = 0; row < rows.outer.size; ++row, cursor.next()) {
            const char *from = static_cast<const char *>(x->data) + cursor.offset[0] + channel * rows.channel_stride[0];
            for_stretches<T>(from, rows.inner[0], rows.extent, [&](const T *data, std::int64_t count) {
                total += static_cast<double>(sum_line<T>(count, body, data));
            });
        }
        return total;
    };
    const std::int64_t parts = parts_for(call->host, rows.channels * size / kLineGrain);
    parallel_for(call->host, parts < rows.channels ? parts : rows.channels, [&](std::int64_t part) {
        const std::int64_t threads = parts < rows.channels ? parts : rows.channels;
        const std::int64_t end = part_begin(rows.channels, threads, part + 1, 1);
        for (std::int64_t channel = part_begin(rows.channels, threads, part, 1); channel < end; ++channel) {
            const double n = static_cast<double>(size);
            const double centre = sum(channel, [](Vec<T> each) { return each; }) / n;
            mean[channel] = static_cast<T>(centre);
            const Vec<T> m = splat(mean[channel]);
            const double squares = sum(channel, [&](Vec<T> each) {
                const Vec<T> apart = each - m;
                return apart * apart;
            });
            variance[channel] = static_cast<T>(squares / n);
        }
    });
    return NDK_OK;
}

// With h = (x - mean) / sqrt(variance + epsilon) and the sums over a channel: dbias = sum g, dweight = sum g h, and
// dx = weight / sqrt(variance + epsilon) * (g - dbias / n - h dweight / n), without the last two terms where mean and
// variance are given numbers.
template <typename T>
ndk_status batch_norm_backward_typed(const ndk_call *call) {
    const std::int64_t *shape = call->inputs[1]->shape;
    const std::int64_t channels = shape[1];
    const std::int64_t length = shape[2];
    const bool own = call->integers[0] != 0;
    const auto column = [&](int input) { return static_cast<const T *>(call->inputs[input]->data); };
    const T *g = column(0);
    const T *x = column(1);
    T *dx = static_cast<T *>(call->outputs[0]->data);
    const std::int64_t parts = parts_for(call->host, shape[0] * channels * length / kLineGrain);
    parallel_for(call->host, parts < channels ? parts : channels, [&](std::int64_t part) {
        const std::int64_t threads = parts < channels ? parts : channels;
        const std::int64_t end = part_begin(channels, threads, part + 1, 1);
        for (std::int64_t channel = part_begin(channels, threads, part, 1); channel < end; ++channel) {
            const Vec<T> mean = splat(column(2)[channel]);
            const double spread = __builtin_sqrt(static_cast<double>(column(3)[channel]) + call->numbers[0]);
            const Vec<T> scale = splat(static_cast<T>(1.0 / spread));
            double sum_g = 0.0;
            double sum_gh = 0.0;
            for (std::int64_t i = 0; i < shape[0]; ++i) {
                const std::int64_t row = (i * channels + channel) * length;
                sum_g += static_cast<double>(sum_line<T>(length, [](Vec<T> a) { return a; }, g + row));
                sum_gh += static_cast<double>(sum_line<T>(
                    length, [&](Vec<T> a, Vec<T> each) { return a * ((each - mean) * scale); }, g + row, x + row));
            }
            static_cast<T *>(call->outputs[1]->data)[channel] = static_cast<T>(sum_gh);
            static_cast<T *>(call->outputs[2]->data)[channel] = static_cast<T>(sum_g);
            const double n = static_cast<double>(shape[0] * length);
            const Vec<T> mean_g = splat(static_cast<T>(own ? sum_g / n : 0.0));
            const Vec<T> mean_gh = splat(static_cast<T>(own ? sum_gh / n : 0.0));
            const Vec<T> factor = scale * splat(call->inputs[4] == nullptr ? T{1} : column(4)[channel]);
            for (std::int64_t i = 0; i < shape[0]; ++i) {
                const std::int64_t row = (i * channels + channel) * length;
                map_line(
                    dx + row, length,
                    [&](Vec<T> a, Vec<T> each) { return (a - mean_g - (each - mean) * scale * mean_gh) * factor; },
                    g + row, x + row);
            }
        }
    });
    return NDK_OK;
}

bool has_axis(const ndk_tensor *tensor, std::int64_t axis) { return axis >= 0 && axis < tensor->ndim; }

} // namespace

ndk_status operators::batch_norm(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 5, 2, 1, 1, 1); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *x = call->inputs[0];
    const std::int64_t axis = call->integers[0];
    if (!is_float(x->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    if (x->dtype != call->outputs[0]->dtype || !same_shape(x, call->outputs[0]) || !has_axis(x, axis)) {
        return NDK_INVALID_ARGUMENT;
    }
    for (int i = 1; i < 5; ++i) {
        if (call->inputs[i] != nullptr && !is_contiguous(call->inputs[i], x->dtype, 1, x->shape + axis)) {
            return NDK_INVALID_ARGUMENT;
        }
    }
    const auto place = static_cast<std::int32_t>(axis);
    return x->dtype == NDK_FLOAT32 ? batch_norm_typed<float>(call, place) : batch_norm_typed<double>(call, place);
}

ndk_status operators::batch_moments(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 1, 0, 2, 1, 0); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *x = call->inputs[0];
    const std::int64_t axis = call->integers[0];
    if (!is_float(x->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    if (!has_axis(x, axis) || !is_contiguous(call->outputs[0], x->dtype, 1, x->shape + axis) ||
        !is_contiguous(call->outputs[1], x->dtype, 1, x->shape + axis)) {
        return NDK_INVALID_ARGUMENT;
    }
    const auto place = static_cast<std::int32_t>(axis);
    return x->dtype == NDK_FLOAT32 ? batch_moments_typed<float>(call, place) : batch_moments_typed<double>(call, place);
}

ndk_status operators::batch_norm_backward(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 5, 1, 3, 1, 1); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *x = call->inputs[1];
    const std::int32_t dtype = x->dtype;
    if (!is_float(dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    for (const ndk_tensor *each : {x, call->inputs[0], call->outputs[0]}) {
        if (x->ndim != 3 || !is_contiguous(each, dtype, 3, x->shape)) {
            return NDK_INVALID_ARGUMENT;
        }
    }
    for (const ndk_tensor *each :
         {call->inputs[2], call->inputs[3], call->inputs[4], call->outputs[1], call->outputs[2]}) {
        if (each != nullptr && !is_contiguous(each, dtype, 1, x->shape + 1)) {
            return NDK_INVALID_ARGUMENT;
        }
    }
    return dtype == NDK_FLOAT32 ? batch_norm_backward_typed<float>(call) : batch_norm_backward_typed<double>(call);
}

} // namespace ndk
