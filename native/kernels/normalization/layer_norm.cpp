// SPDX-License-Identifier: Apache-2.0
//
// layer_norm, rms_norm: inputs x, weight (optional), bias (optional); outputs out; all of one dtype (float32, float64)
// and of x's shape, the weights broadcast to it; integers (first axis of those that are normalized together, up to the
// last one); numbers (epsilon).
//
// (x - mean) / sqrt(variance + epsilon) * weight + bias over each line (Ba, Kiros and Hinton, Layer Normalization,
// 2016), and x / sqrt(mean of squares + epsilon) * weight (Zhang and Sennrich, Root Mean Square Layer Normalization,
// 2019). The variance is that of two passes. Scratch memory: four lines for each thread, where some tensor's lines are
// not contiguous.
//
// layer_norm_backward: inputs the gradient of the result, x, weight (optional, (n)); outputs the gradients of x, of
// weight and of bias (n); x and its gradients are contiguous of shape (rows, n); no integers; numbers (epsilon).
// Scratch memory: two numbers for each row.
#include <initializer_list>

#include "normalization/contiguous.hpp"
#include "normalization/line_loops.hpp"
#include "normalization/lines.hpp"

namespace ndk {
namespace {

struct Moments {
    double mean;
    double scale; // 1 / sqrt(variance + epsilon)
};

template <typename T, bool Centred>
Moments moments(const T *x, std::int64_t count, double epsilon) {
    const double n = static_cast<double>(count);
    double mean = 0.0;
    if constexpr (Centred) {
        mean = static_cast<double>(sum_line<T>(count, [](Vec<T> each) { return each; }, x)) / n;
    }
    const Vec<T> centre = splat(static_cast<T>(mean));
    const double squares = static_cast<double>(sum_line<T>(
        count,
        [&](Vec<T> each) {
            const Vec<T> apart = each - centre;
            return apart * apart;
        },
        x));
    return {mean, 1.0 / __builtin_sqrt(squares / n + epsilon)};
}

template <typename T, bool Centred>
ndk_status layer_norm_typed(const ndk_call *call) {
    const ndk_tensor *x = call->inputs[0];
    const bool weighted = call->inputs[1] != nullptr;
    const bool biased = call->inputs[2] != nullptr;
    const Lines<T, 4> lines({call->outputs[0], x, weighted ? call->inputs[1] : x, biased ? call->inputs[2] : x},
                            static_cast<std::int32_t>(call->integers[0]), x->ndim);
    const std::int64_t count = lines.extent();
    const double epsilon = call->numbers[0];
    return lines.each(call->host, [&](T *const(&data)[4]) {
        const Moments found = moments<T, Centred>(data[1], count, epsilon);
        const Vec<T> mean = splat(static_cast<T>(found.mean));
        const Vec<T> scale = splat(static_cast<T>(found.scale));
        const auto normalized = [&](Vec<T> each) { return (each - mean) * scale; };
        if (weighted && biased) {
            map_line(
                data[0], count, [&](Vec<T> each, Vec<T> w, Vec<T> b) { return normalized(each) * w + b; }, data[1],
                data[2], data[3]);
        } else if (weighted) {
            map_line(data[0], count, [&](Vec<T> each, Vec<T> w) { return normalized(each) * w; }, data[1], data[2]);
        } else if (biased) {
            map_line(data[0], count, [&](Vec<T> each, Vec<T> b) { return normalized(each) + b; }, data[1], data[3]);
        } else {
            map_line(data[0], count, normalized, data[1]);
        }
    });
}

template <bool Centred>
ndk_status run_layer_norm(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 3, 2, 1, 1, 1); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *out = call->outputs[0];
    for (int i = 0; i < 3; ++i) {
        const ndk_tensor *input = call->inputs[i];
        if (input != nullptr && (input->dtype != out->dtype || !same_shape(input, out))) {
            return NDK_INVALID_ARGUMENT;
        }
    }
    if (call->integers[0] < 0 || call->integers[0] >= out->ndim) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!is_float(out->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    return out->dtype == NDK_FLOAT32 ? layer_norm_typed<float, Centred>(call) : layer_norm_typed<double, Centred>(call);
}

// With h the normalized x and u = g weight: dx = (u - mean(u) - h mean(u h)) / sqrt(variance + epsilon), dweight = the
// sum of g h over the rows, dbias that of g.
template <typename T>
ndk_status layer_norm_backward_typed(const ndk_call *call) {
    const std::int64_t rows = call->inputs[1]->shape[0];
    const std::int64_t count = call->inputs[1]->shape[1];
    const T *g = static_cast<const T *>(call->inputs[0]->data);
    const T *x = static_cast<const T *>(call->inputs[1]->data);
    const T *weight = call->inputs[2] == nullptr ? nullptr : static_cast<const T *>(call->inputs[2]->data);
    T *dx = static_cast<T *>(call->outputs[0]->data);
    T *dweight = static_cast<T *>(call->outputs[1]->data);
    T *dbias = static_cast<T *>(call->outputs[2]->data);
    const Scratch<T> scratch(call->host, 2 * rows);
    if (rows > 0 && scratch.get() == nullptr) {
        return NDK_OUT_OF_MEMORY;
    }
    const std::int64_t parts = parts_for(call->host, rows * count / kLineGrain);
    parallel_for(call->host, parts, [&](std::int64_t part) {
        const std::int64_t end = part_begin(rows, parts, part + 1, 1);
        for (std::int64_t row = part_begin(rows, parts, part, 1); row < end && count > 0; ++row) {
            const T *x_row = x + row * count;
            const T *g_row = g + row * count;
            const Moments found = moments<T, true>(x_row, count, call->numbers[0]);
            const T mean = static_cast<T>(found.mean);
            const T scale = static_cast<T>(found.scale);
            scratch.get()[2 * row] = mean;
            scratch.get()[2 * row + 1] = scale;
            // u goes to dx.
            if (weight != nullptr) {
                map_line(dx + row * count, count, [](Vec<T> a, Vec<T> w) { return a * w; }, g_row, weight);
            } else {
                map_line(dx + row * count, count, [](Vec<T> a) { return a; }, g_row);
            }
            const T *u = dx + row * count;
            const T mean_u = sum_line<T>(count, [](Vec<T> a) { return a; }, u) / static_cast<T>(count);
            const T mean_uh =
                sum_line<T>(
                    count, [&](Vec<T> a, Vec<T> each) { return a * ((each - splat(mean)) * splat(scale)); }, u, x_row) /
                static_cast<T>(count);
            map_line(
                dx + row * count, count,
                [&](Vec<T> a, Vec<T> each) {
                    return (a - splat(mean_u) - (each - splat(mean)) * splat(scale) * splat(mean_uh)) * splat(scale);
                },
                u, x_row);
        }
    });
    // Columns are dealt out, and each adds its rows in blocks, so that the order follows from the shape alone.
    constexpr std::int64_t kColumns = 64;
    constexpr std::int64_t kRows = 64;
    const std::int64_t blocks = (count + kColumns - 1) / kColumns;
    parallel_for(call->host, parts < blocks ? parts : blocks, [&](std::int64_t part) {
        const std::int64_t threads = parts < blocks ? parts : blocks;
        for (std::int64_t block = part_begin(blocks, threads, part, 1);
             block < part_begin(blocks, threads, part + 1, 1); ++block) {
            const std::int64_t begin = block * kColumns;
            const std::int64_t width = count - begin < kColumns ? count - begin : kColumns;
            double totals[2][kColumns] = {};
            for (std::int64_t row = 0; row < rows; row += kRows) {
                T sums[2][kColumns] = {};
                for (std::int64_t i = row; i < rows && i < row + kRows; ++i) {
                    const T mean = scratch.get()[2 * i];
                    const T scale = scratch.get()[2 * i + 1];
                    for (std::int64_t j = 0; j < width; ++j) {
                        const T each = g[i * count + begin + j];
                        sums[0][j] += each * ((x[i * count + begin + j] - mean) * scale);
                        sums[1][j] += each;
                    }
                }
                for (std::int64_t j = 0; j < width; ++j) {
                    totals[0][j] += static_cast<double>(sums[0][j]);
                    totals[1][j] += static_cast<double>(sums[1][j]);
                }
            }
            for (std::int64_t j = 0; j < width; ++j) {
                dweight[begin + j] = static_cast<T>(totals[0][j]);
                dbias[begin + j] = static_cast<T>(totals[1][j]);
            }
        }
    });
    return NDK_OK;
}

} // namespace

ndk_status operators::layer_norm(const ndk_call *call) { return run_layer_norm<true>(call); }
ndk_status operators::rms_norm(const ndk_call *call) { return run_layer_norm<false>(call); }

ndk_status operators::layer_norm_backward(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 3, 1, 3, 0, 1); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *x = call->inputs[1];
    const std::int32_t dtype = x->dtype;
    if (!is_float(dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    if (x->ndim != 2 || !is_contiguous(x, dtype, 2, x->shape) || !is_contiguous(call->inputs[0], dtype, 2, x->shape) ||
        !is_contiguous(call->outputs[0], dtype, 2, x->shape)) {
        return NDK_INVALID_ARGUMENT;
    }
    for (const ndk_tensor *each : {call->inputs[2], call->outputs[1], call->outputs[2]}) {
        if (each != nullptr && !is_contiguous(each, dtype, 1, x->shape + 1)) {
            return NDK_INVALID_ARGUMENT;
        }
    }
    return dtype == NDK_FLOAT32 ? layer_norm_backward_typed<float>(call) : layer_norm_backward_typed<double>(call);
}

} // namespace ndk
