// SPDX-License-Identifier: Apache-2.0
//
// avg_pool, max_pool: inputs x, (N, C, spatial...) or (N, spatial..., C), N optional; outputs out, of x's dtype
// (float32, float64), and for max_pool also indices, int64 of out's shape where two are given; integers as in
// pooling/geometry.hpp; no numbers. Out's spatial extents say how many windows there are, and each has to start in the
// image or in the padding before it.
//
// Semantics: torch.nn.functional.avg_pool2d, max_pool2d, adaptive_avg_pool2d, adaptive_max_pool2d. NaN propagates. An
// index is the place in the image, flat over its spatial axes: of the first of equal values and of the last NaN.
// Where dilation makes a window miss the image the maximum is -inf and the index -1.
//
// Scratch: 24 bytes for each of out's depth + height + width, and for each thread about a padded row of x and two of
// out.
#include "call.hpp"
#include "pooling/channels.hpp"
#include "pooling/geometry.hpp"
#include "pooling/rows.hpp"

namespace ndk {
namespace {

constexpr std::int64_t kGrain = std::int64_t{1} << 15; // elements of x that are worth a thread

template <typename T, typename Op>
ndk_status pool_typed(const ndk_host *host, const Pool &pool, const Image &x, const Image &out) {
    if (out.planes() == 0 || out.positions() == 0) {
        return NDK_OK;
    }
    const Windows windows(host, pool, x, out);
    if (windows.missing()) {
        return NDK_OUT_OF_MEMORY;
    }
    const std::int64_t grains = x.planes() * x.positions() / kGrain;
    if (ChannelPooling<T, Op>::fits(x, out)) {
        const ChannelPooling<T, Op> work(pool, windows, x, out);
        const std::int64_t parts = parts_for(host, grains);
        parallel_for(host, parts, [&](std::int64_t part) {
            work.run(part_begin(work.rows(), parts, part, 1), part_begin(work.rows(), parts, part + 1, 1));
        });
        return NDK_OK;
    }
    const RowPooling<T, Op> work(pool, windows, x, out);
    const std::int64_t parts = parts_for(host, grains);
    const std::int64_t size = round_up(work.scratch_size(), 64 / static_cast<std::int64_t>(sizeof(T)));
    const Scratch<T> scratch(host, parts * size);
    if (scratch.get() == nullptr) {
        return NDK_OUT_OF_MEMORY;
    }
    parallel_for(host, parts, [&](std::int64_t part) {
        work.run(part_begin(work.rows(), parts, part, 1), part_begin(work.rows(), parts, part + 1, 1),
                 scratch.get() + part * size);
    });
    return NDK_OK;
}

// The maximum of one window, and where it is. Source: ATen's MaxPoolKernel.cpp
template <typename T>
void largest_at(const char *plane, const Pool &pool, const Image &x, const Window (&window)[kSpatial], T *value,
                std::int64_t *place) {
    T most = MaxOp::kNeutral<T>;
    std::int64_t index = -1;
    for (std::int64_t d = 0; d < window[0].count; ++d) {
        const std::int64_t z = window[0].begin + d * pool.dilation[0];
        for (std::int64_t h = 0; h < window[1].count; ++h) {
            const std::int64_t y = window[1].begin + h * pool.dilation[1];
            const std::int64_t flat = (z * x.extent[kHeight] + y) * x.extent[kWidth];
            const char *row = plane + z * x.stride[kDepth] + y * x.stride[kHeight];
            for (std::int64_t w = 0; w < window[2].count; ++w) {
                const std::int64_t column = window[2].begin + w * pool.dilation[2];
                const T each = *reinterpret_cast<const T *>(row + column * x.stride[kWidth]);
                if (each > most || each != each || index < 0) {
                    most = each;
                    index = flat + column;
                }
            }
        }
    }
    *value = most;
    *place = index;
}

template <typename T>
ndk_status pool_indices(const ndk_host *host, const Pool &pool, const Image &x, const Image &out,
                        const Image &indices) {
    if (out.planes() == 0 || out.positions() == 0) {
        return NDK_OK;
    }
    const Windows windows(host, pool, x, out);
    if (windows.missing()) {
        return NDK_OUT_OF_MEMORY;
    }
    const std::int64_t height = out.extent[kHeight];
    const std::int64_t depth = out.extent[kDepth];
    const std::int64_t rows = out.planes() * depth * height;
    const std::int64_t parts = parts_for(host, x.planes() * x.positions() / kGrain);
    parallel_for(host, parts, [&](std::int64_t part) {
        const std::int64_t end = part_begin(rows, parts, part + 1, 1);
        for (std::int64_t row = part_begin(rows, parts, part, 1); row < end; ++row) {
            const std::int64_t y = row % height;
            const std::int64_t z = row / height % depth;
            const std::int64_t c = row / height / depth % out.extent[kChannel];
            const std::int64_t n = row / height / depth / out.extent[kChannel];
            char *values = out.data + out.offset(n, c) + z * out.stride[kDepth] + y * out.stride[kHeight];
            char *places =
                indices.data + indices.offset(n, c) + z * indices.stride[kDepth] + y * indices.stride[kHeight];
            for (std::int64_t o = 0; o < out.extent[kWidth]; ++o) {
                largest_at<T>(x.data + x.offset(n, c), pool, x, {windows[0][z], windows[1][y], windows[2][o]},
                              reinterpret_cast<T *>(values + o * out.stride[kWidth]),
                              reinterpret_cast<std::int64_t *>(places + o * indices.stride[kWidth]));
            }
        }
    });
    return NDK_OK;
}

struct Arguments {
    Pool pool;
    Image x;
    Image out;
    Image indices;
};

ndk_status read_arguments(const ndk_call *call, std::int32_t outputs, Arguments &read) {
    if (const ndk_status status = check_call(call, 1, 0, outputs, kPoolIntegers, 0); status != NDK_OK) {
        return status;
    }
    const std::int64_t *integers = call->integers;
    if (call->inputs[0]->dtype != call->outputs[0]->dtype ||
        !read_image(call->inputs[0], integers[0], integers[1], read.x) ||
        !read_image(call->outputs[0], integers[0], integers[1], read.out) ||
        call->inputs[0]->ndim != call->outputs[0]->ndim || !same_planes(read.x, read.out) ||
        !read_pool(integers, read.pool) || !windows_fit(read.pool, read.x, read.out)) {
        return NDK_INVALID_ARGUMENT;
    }
    if (outputs == 2 && (call->outputs[1]->dtype != NDK_INT64 || !same_shape(call->outputs[0], call->outputs[1]) ||
                         !read_image(call->outputs[1], integers[0], integers[1], read.indices))) {
        return NDK_INVALID_ARGUMENT;
    }
    return is_float(call->inputs[0]->dtype) ? NDK_OK : NDK_UNSUPPORTED_DTYPE;
}

template <typename Op>
ndk_status pool_any(const ndk_call *call) {
    Arguments read;
    if (const ndk_status status = read_arguments(call, 1, read); status != NDK_OK) {
        return status;
    }
    return call->inputs[0]->dtype == NDK_FLOAT32 ? pool_typed<float, Op>(call->host, read.pool, read.x, read.out)
                                                 : pool_typed<double, Op>(call->host, read.pool, read.x, read.out);
}

} // namespace

ndk_status operators::avg_pool(const ndk_call *call) { return pool_any<MeanOp>(call); }

ndk_status operators::max_pool(const ndk_call *call) {
    if (call->output_count != 2) {
        return pool_any<MaxOp>(call);
    }
    Arguments read;
    if (const ndk_status status = read_arguments(call, 2, read); status != NDK_OK) {
        return status;
    }
    return call->inputs[0]->dtype == NDK_FLOAT32
               ? pool_indices<float>(call->host, read.pool, read.x, read.out, read.indices)
               : pool_indices<double>(call->host, read.pool, read.x, read.out, read.indices);
}

} // namespace ndk
