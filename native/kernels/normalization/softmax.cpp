// SPDX-License-Identifier: Apache-2.0
//
// softmax, log_softmax: inputs x; outputs out, of x's dtype (float32, float64) and shape; integers (axis), in [0,
// ndim); no numbers. softmax_backward, log_softmax_backward: inputs the gradient of the result, the result; outputs the
// gradient of x; all of one shape and dtype; integers (axis); no numbers.
//
// exp(x - max) / sum(exp(x - max)), which overflows nowhere, and its logarithm. A line that holds NaN, or +inf, becomes
// NaN, as in NumPy's arithmetic and in torch. Scratch memory: none where the axis is the innermost one of contiguous
// memory, or another one beside it; else two or three lines for each thread.
#include "math/exp.hpp"
#include "math/log.hpp"
#include "normalization/line_loops.hpp"
#include "normalization/lines.hpp"

namespace ndk {
namespace {

template <typename T>
T logarithm(T x) {
    return vector_log(splat(x))[0];
}

constexpr int kTogether = 4; // lines

template <typename T, bool Log>
void softmax_lines(T *const (*lines)[2], int together, std::int64_t count) {
    const auto power = [](Vec<T> top) { return [top](Vec<T> each) { return exp_of_negative<T>(each - top); }; };
    Vec<T> most[kTogether];
    T total[kTogether];
    for (int i = 0; i < together; ++i) {
        most[i] = splat(largest(lines[i][1], count));
    }
    for (int i = 0; i < together; ++i) {
        total[i] = Log ? sum_line<T>(count, power(most[i]), lines[i][1])
                       : map_line_sum<T>(lines[i][0], count, power(most[i]), lines[i][1]);
    }
    for (int i = 0; i < together; ++i) {
        auto [out, x] = lines[i];
        if constexpr (Log) {
            const Vec<T> shift = splat(logarithm(total[i]));
            map_line(out, count, [&](Vec<T> each) { return (each - most[i]) - shift; }, x);
        } else {
            const Vec<T> scale = splat(T{1} / total[i]);
            map_line(out, count, [&](Vec<T> each) { return each * scale; }, out);
        }
    }
}

// `width` lines side by side, whose steps are given in bytes.
template <typename T, bool Log>
void softmax_block(T *out, std::int64_t out_step, const T *x, std::int64_t x_step, std::int64_t count,
                   std::int64_t width) {
    alignas(64) T most[kBlockWidth<T>];
    alignas(64) T total[kBlockWidth<T>];
    for (std::int64_t j = 0; j < width; ++j) {
        most[j] = x[j];
        total[j] = 0;
    }
    for (std::int64_t i = 1; i < count; ++i) {
        map_line(
            most, width, [](Vec<T> kept, Vec<T> next) { return greater<T>(kept, next); }, most, stepped(x, x_step, i));
    }
    for (std::int64_t i = 0; i < count; ++i) {
        T *to = stepped(out, out_step, i);
        const auto power = [](Vec<T> each, Vec<T> top) { return exp_of_negative<T>(each - top); };
        if constexpr (Log) {
            map_line(
                total, width, [&](Vec<T> sum, Vec<T> each, Vec<T> top) { return sum + power(each, top); }, total,
                stepped(x, x_step, i), most);
        } else {
            map_line(to, width, power, stepped(x, x_step, i), most);
            map_line(total, width, [](Vec<T> sum, Vec<T> each) { return sum + each; }, total, to);
        }
    }
    map_line(total, width, [](Vec<T> sum) { return Log ? vector_log(sum) : splat(T{1}) / sum; }, total);
    for (std::int64_t i = 0; i < count; ++i) {
        T *to = stepped(out, out_step, i);
        if constexpr (Log) {
            map_line(
                to, width, [](Vec<T> each, Vec<T> top, Vec<T> shift) { return (each - top) - shift; },
                stepped(x, x_step, i), most, total);
        } else {
            map_line(to, width, [](Vec<T> each, Vec<T> scale) { return each * scale; }, to, total);
        }
    }
}

template <typename T, bool Log>
ndk_status softmax_typed(const ndk_call *call, std::int32_t axis) {
    const Lines<T, 2> lines({call->outputs[0], call->inputs[0]}, axis);
    const std::int64_t count = lines.extent();
    if (lines.side_by_side()) {
        return lines.each_block(call->host, [&](T *const(&data)[2], std::int64_t width) {
            softmax_block<T, Log>(data[0], lines.stride(0), data[1], lines.stride(1), count, width);
        });
    }
    return lines.template each_together<kTogether>(
        call->host, [&](T *const(*data)[2], int together) { softmax_lines<T, Log>(data, together, count); });
}

// With y the result and g its gradient: y (g - sum(g y)) for softmax, g - exp(y) sum(g) for its logarithm.
template <typename T, bool Log>
ndk_status softmax_backward_typed(const ndk_call *call, std::int32_t axis) {
    const Lines<T, 3> lines({call->outputs[0], call->inputs[0], call->inputs[1]}, axis);
    const std::int64_t count = lines.extent();
    return lines.each(call->host, [&](T *const(&data)[3]) {
        const Vec<T> total =
            splat(sum_line<T>(count, [](Vec<T> g, Vec<T> y) { return Log ? g : g * y; }, data[1], data[2]));
        map_line(
            data[0], count, [&](Vec<T> g, Vec<T> y) { return Log ? g - vector_exp(y) * total : y * (g - total); },
            data[1], data[2]);
    });
}

ndk_status check_softmax(const ndk_call *call, std::int32_t inputs) {
    if (const ndk_status status = check_call(call, inputs, 0, 1, 1, 0); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *out = call->outputs[0];
    for (std::int32_t i = 0; i < inputs; ++i) {
        if (call->inputs[i]->dtype != out->dtype || !same_shape(call->inputs[i], out)) {
            return NDK_INVALID_ARGUMENT;
        }
    }
    if (call->integers[0] < 0 || call->integers[0] >= out->ndim) {
        return NDK_INVALID_ARGUMENT;
    }
    return is_float(out->dtype) ? NDK_OK : NDK_UNSUPPORTED_DTYPE;
}

template <bool Log>
ndk_status run_softmax(const ndk_call *call) {
    if (const ndk_status status = check_softmax(call, 1); status != NDK_OK) {
        return status;
    }
    const auto axis = static_cast<std::int32_t>(call->integers[0]);
    return call->outputs[0]->dtype == NDK_FLOAT32 ? softmax_typed<float, Log>(call, axis)
                                                  : softmax_typed<double, Log>(call, axis);
}

template <bool Log>
ndk_status run_softmax_backward(const ndk_call *call) {
    if (const ndk_status status = check_softmax(call, 2); status != NDK_OK) {
        return status;
    }
    const auto axis = static_cast<std::int32_t>(call->integers[0]);
    return call->outputs[0]->dtype == NDK_FLOAT32 ? softmax_backward_typed<float, Log>(call, axis)
                                                  : softmax_backward_typed<double, Log>(call, axis);
}

} // namespace

ndk_status operators::softmax(const ndk_call *call) { return run_softmax<false>(call); }
ndk_status operators::log_softmax(const ndk_call *call) { return run_softmax<true>(call); }
ndk_status operators::softmax_backward(const ndk_call *call) { return run_softmax_backward<false>(call); }
ndk_status operators::log_softmax_backward(const ndk_call *call) { return run_softmax_backward<true>(call); }

} // namespace ndk
