// SPDX-License-Identifier: Apache-2.0
//
// local_response_norm: inputs x; outputs out, of x's dtype (float32, float64) and shape; integers (size, the axis of
// channels); numbers (alpha, beta, k). local_response_norm_backward: inputs the gradient of the result, x; outputs the
// gradient of x; otherwise the same.
//
// out = x / (k + alpha / size * s)^beta, where s is the sum of the squares of the channels from c - size / 2 to
// c + (size - 1) / 2 (Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural
// Networks, 2012, section 3.3, with the mean of the window as in ONNX's LRN and torch). Channels beyond the ends count
// as 0. Scratch memory: where channels are not beside each other's pixels, and for the gradient, up to five lines of
// channels for each thread.
#include "math/basic.hpp"
#include "math/power.hpp"
#include "normalization/line_loops.hpp"
#include "normalization/lines.hpp"

namespace ndk {
namespace {

template <typename T>
struct Window {
    std::int64_t before, after; // channels of the window on both sides
    T factor;                   // alpha / size
    T beta;
    T k;

    explicit Window(const ndk_call *call)
        : before(call->integers[0] / 2), after((call->integers[0] - 1) / 2),
          factor(static_cast<T>(call->numbers[0] / static_cast<double>(call->integers[0]))),
          beta(static_cast<T>(call->numbers[1])), k(static_cast<T>(call->numbers[2])) {}

    // d^-beta; the exponents that are in use need no logarithm.
    Vec<T> scale(Vec<T> d) const {
        if (beta == T{0.75}) {
            const Vec<T> root = square_root<T>(d);
            return splat(T{1}) / (root * square_root<T>(root));
        }
        if (beta == T{0.5}) {
            return splat(T{1}) / square_root<T>(d);
        }
        return beta == T{1} ? splat(T{1}) / d : power_of<T>(d, splat(-beta));
    }

    std::int64_t first(std::int64_t channel) const { return channel < before ? 0 : channel - before; }
    std::int64_t last(std::int64_t channel, std::int64_t count) const {
        return count - 1 - channel < after ? count - 1 : channel + after;
    }
};

// Pixels side by side: a vector is some pixels of one channel.
template <typename T>
void normalize_block(const Window<T> &window, T *out, std::int64_t out_step, const T *x, std::int64_t x_step,
                     std::int64_t count, std::int64_t width) {
    for (std::int64_t channel = 0; channel < count; ++channel) {
        alignas(64) T squares[kBlockWidth<T>] = {};
        const std::int64_t last = window.last(channel, count);
        for (std::int64_t other = window.first(channel); other <= last; ++other) {
            map_line(
                squares, width, [](Vec<T> sum, Vec<T> each) { return sum + each * each; }, squares,
                stepped(x, x_step, other));
        }
        map_line(
            stepped(out, out_step, channel), width,
            [&](Vec<T> each, Vec<T> sum) { return each * window.scale(sum * window.factor + window.k); },
            stepped(x, x_step, channel), squares);
    }
}

// to[i] = the sum of from over the window of i, or over the channels whose windows hold i.
template <typename T>
void window_sums(std::int64_t before, std::int64_t after, std::int64_t count, const T *from, T *to) {
    for (std::int64_t i = 0; i < count; ++i) {
        to[i] = 0;
    }
    for (std::int64_t apart = before < count ? -before : 1 - count; apart <= after && apart < count; ++apart) {
        const std::int64_t begin = apart < 0 ? -apart : 0;
        const std::int64_t end = apart > 0 ? count - apart : count;
        map_line(
            to + begin, end - begin, [](Vec<T> sum, Vec<T> each) { return sum + each; }, to + begin,
            from + begin + apart);
    }
}

template <typename T>
ndk_status normalize(const ndk_call *call, std::int32_t axis) {
    const Window<T> window(call);
    const Lines<T, 2> lines({call->outputs[0], call->inputs[0]}, axis);
    const std::int64_t count = lines.extent();
    if (lines.side_by_side()) {
        return lines.each_block(call->host, [&](T *const(&data)[2], std::int64_t width) {
            normalize_block(window, data[0], lines.stride(0), data[1], lines.stride(1), count, width);
        });
    }
    bool out_of_memory = false;
    const ndk_status status = lines.each(call->host, [&](T *const(&data)[2]) {
        const Scratch<T> scratch(call->host, 2 * count);
        if (scratch.get() == nullptr) {
            __atomic_store_n(&out_of_memory, true, __ATOMIC_RELAXED);
            return;
        }
        T *squares = scratch.get();
        T *sums = squares + count;
        map_line(squares, count, [](Vec<T> each) { return each * each; }, data[1]);
        window_sums(window.before, window.after, count, squares, sums);
        map_line(
            data[0], count,
            [&](Vec<T> each, Vec<T> sum) { return each * window.scale(sum * window.factor + window.k); }, data[1],
            sums);
    });
    return out_of_memory ? NDK_OUT_OF_MEMORY : status;
}

// With d = k + alpha / size * s: dx_c = g_c d_c^-beta - 2 beta alpha / size * x_c * sum of g_j x_j d_j^(-beta - 1) over
// the channels j whose windows hold c.
template <typename T>
ndk_status differentiate(const ndk_call *call, std::int32_t axis) {
    const Window<T> window(call);
    const Lines<T, 3> lines({call->outputs[0], call->inputs[0], call->inputs[1]}, axis);
    const std::int64_t count = lines.extent();
    bool out_of_memory = false;
    const ndk_status status = lines.each(call->host, [&](T *const(&data)[3]) {
        const Scratch<T> scratch(call->host, 2 * count);
        if (scratch.get() == nullptr) {
            __atomic_store_n(&out_of_memory, true, __ATOMIC_RELAXED);
            return;
        }
        T *terms = scratch.get();
        T *sums = terms + count;
        map_line(terms, count, [](Vec<T> each) { return each * each; }, data[2]);
        window_sums(window.before, window.after, count, terms, sums);
        const auto d = [&](Vec<T> sum) { return sum * window.factor + window.k; };
        map_line(
            terms, count, [&](Vec<T> g, Vec<T> x, Vec<T> sum) { return g * x * window.scale(d(sum)) / d(sum); },
            data[1], data[2], sums);
        map_line(data[0], count, [&](Vec<T> g, Vec<T> sum) { return g * window.scale(d(sum)); }, data[1], sums);
        window_sums(window.after, window.before, count, terms, sums);
        const Vec<T> factor = splat(T{-2} * window.beta * window.factor);
        map_line(
            data[0], count, [&](Vec<T> own, Vec<T> x, Vec<T> sum) { return own + factor * x * sum; }, data[0], data[2],
            sums);
    });
    return out_of_memory ? NDK_OUT_OF_MEMORY : status;
}

ndk_status check_norm(const ndk_call *call, std::int32_t inputs) {
    if (const ndk_status status = check_call(call, inputs, 0, 1, 2, 3); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *out = call->outputs[0];
    for (std::int32_t i = 0; i < inputs; ++i) {
        if (call->inputs[i]->dtype != out->dtype || !same_shape(call->inputs[i], out)) {
            return NDK_INVALID_ARGUMENT;
        }
    }
    if (call->integers[0] < 1 || call->integers[1] < 0 || call->integers[1] >= out->ndim) {
        return NDK_INVALID_ARGUMENT;
    }
    return is_float(out->dtype) ? NDK_OK : NDK_UNSUPPORTED_DTYPE;
}

} // namespace

ndk_status operators::local_response_norm(const ndk_call *call) {
    if (const ndk_status status = check_norm(call, 1); status != NDK_OK) {
        return status;
    }
    const auto axis = static_cast<std::int32_t>(call->integers[1]);
    return call->outputs[0]->dtype == NDK_FLOAT32 ? normalize<float>(call, axis) : normalize<double>(call, axis);
}

ndk_status operators::local_response_norm_backward(const ndk_call *call) {
    if (const ndk_status status = check_norm(call, 2); status != NDK_OK) {
        return status;
    }
    const auto axis = static_cast<std::int32_t>(call->integers[1]);
    return call->outputs[0]->dtype == NDK_FLOAT32 ? differentiate<float>(call, axis)
                                                  : differentiate<double>(call, axis);
}

} // namespace ndk
