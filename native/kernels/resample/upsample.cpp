// SPDX-License-Identifier: Apache-2.0
//
// upsample: inputs x, (N, C, spatial...) or (N, spatial..., C) with 1 to 3 spatial axes; outputs out, of x's dtype
// (float32, float64), whose spatial extents may be any, smaller ones too; integers and numbers as in
// resample/sources.hpp.
//
// Semantics: torch.nn.functional.interpolate. Where the channels lie together, vectors are of channels; elsewhere the
// rows that meet in a row of the result are added up first, and that line is then resampled along its columns.
//
// Scratch: 24 bytes for each of out's depth + height + width, 16 bytes for each of its columns, and for each thread a
// row of x and one of out.
#include "call.hpp"
#include "pooling/channels.hpp"
#include "resample/columns.hpp"
#include "resample/sources.hpp"

namespace ndk {
namespace {

constexpr std::int64_t kGrain = std::int64_t{1} << 15; // elements of the result that are worth a thread

// body(n, c, z, y) for rows [begin, end) in the order batch, channel, depth, height
template <typename Body>
void for_rows(const Image &out, std::int64_t channels, std::int64_t begin, std::int64_t end, const Body &body) {
    const std::int64_t height = out.extent[kHeight];
    const std::int64_t depth = out.extent[kDepth];
    for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t plane = row / height / depth;
        body(plane / channels, plane % channels, row / height % depth, row % height);
    }
}

// out[i] = sum of weight * x over the corners, for `count` channels that lie together
template <typename T, int Count>
void blend_channels(const char *x, const Corners<T> &corners, std::int64_t count, T *out) {
    const auto blend = [&](std::int64_t i, const auto &get) {
        const auto at = [&](int k) { return get(reinterpret_cast<const T *>(x + corners.offset[k]) + i); };
        if constexpr (Count == 1) {
            return at(0);
        }
        Vec<T> total = at(0) * splat(corners.weight[0]);
        const int corner_count = Count != 0 ? Count : corners.count;
        for (int k = 1; k < corner_count; ++k) {
            total += at(k) * splat(corners.weight[k]);
        }
        return total;
    };
    std::int64_t i = 0;
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        store(out + i, blend(i, [](const T *from) { return load(from); }));
    }
    if (i < count) {
        store_first<T>(out + i, blend(i, [&](const T *from) { return load_first<T>(from, count - i, Vec<T>{}); }),
                       count - i);
    }
}

template <typename T>
void blend(const char *x, const Corners<T> &corners, std::int64_t count, T *out) {
    if (corners.count == 1) {
        blend_channels<T, 1>(x, corners, count, out);
    } else if (corners.count == 2) {
        blend_channels<T, 2>(x, corners, count, out);
    } else if (corners.count == 4) {
        blend_channels<T, 4>(x, corners, count, out);
    } else {
        blend_channels<T, 0>(x, corners, count, out);
    }
}

template <typename T>
void copy_row(const T *from, std::int64_t count, T *to) {
    std::int64_t i = 0;
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        store(to + i, load(from + i));
    }
    if (i < count) {
        store_first<T>(to + i, load_first<T>(from + i, count - i, Vec<T>{}), count - i);
    }
}

template <typename T>
class RowUpsampling {
public:
    RowUpsampling(const Sources<T> &sources, const Columns<T> &columns, const Image &x, const Image &out, bool linear)
        : sources_(sources), columns_(columns), x_(x), out_(out), linear_(linear) {}

    std::int64_t line_size() const { return padded(x_.extent[kWidth] + 1) + kLanes<T>; }
    std::int64_t scratch_size() const { return line_size() + padded(out_.extent[kWidth]); }

    void run(std::int64_t begin, std::int64_t end, T *line) const {
        for (std::int64_t i = 0; i < line_size(); ++i) {
            line[i] = 0;
        }
        T *result = line + line_size();
        const char *held = nullptr; // the row of x that the result's last row is a copy of
        const T *before = nullptr;
        for_rows(out_, out_.extent[kChannel], begin, end,
                 [&](std::int64_t n, std::int64_t c, std::int64_t z, std::int64_t y) {
                     const char *plane = x_.data + x_.offset(n, c);
                     const Corners<T> rows(x_, sources_[0][z], sources_[1][y], nullptr);
                     char *target = out_.data + out_.offset(n, c) + z * out_.stride[kDepth] + y * out_.stride[kHeight];
                     const bool together = out_.stride[kWidth] == kItem;
                     T *to = together ? reinterpret_cast<T *>(target) : result;
                     const char *only = linear_ ? nullptr : plane + rows.offset[0];
                     if (only == nullptr || only != held) {
                         gather_line(plane, rows, line);
                         if (linear_) {
                             columns_.template run<true>(line, to);
                         } else {
                             columns_.template run<false>(line, to);
                         }
                         held = only;
                     } else if (together) {
                         copy_row(before, out_.extent[kWidth], to);
                     }
                     before = to;
                     if (!together) {
                         scatter(result, target, out_.stride[kWidth], out_.extent[kWidth]);
                     }
                 });
    }

private:
    static constexpr std::int64_t kItem = sizeof(T);
    static std::int64_t padded(std::int64_t count) { return (count + kLanes<T> - 1) / kLanes<T> * kLanes<T>; }

    void gather_line(const char *plane, const Corners<T> &rows, T *line) const {
        const std::int64_t width = x_.extent[kWidth];
        const std::int64_t stride = x_.stride[kWidth];
        if (stride == kItem) {
            blend(plane, rows, width, line);
        } else {
            for (std::int64_t w = 0; w < width; ++w) {
                T total = *reinterpret_cast<const T *>(plane + rows.offset[0] + w * stride) * rows.weight[0];
                for (int k = 1; k < rows.count; ++k) {
                    total += *reinterpret_cast<const T *>(plane + rows.offset[k] + w * stride) * rows.weight[k];
                }
                line[w] = total;
            }
        }
        line[width] = line[width - 1];
    }

    const Sources<T> &sources_;
    const Columns<T> &columns_;
    const Image &x_;
    const Image &out_;
    bool linear_;
};

template <typename T>
ndk_status upsample_typed(const ndk_call *call, const Image &x, const Image &out) {
    if (out.planes() == 0 || out.positions() == 0) {
        return NDK_OK;
    }
    const ndk_host *host = call->host;
    const Sources<T> sources(call, x, out);
    if (sources.missing()) {
        return NDK_OUT_OF_MEMORY;
    }
    const std::int64_t lines = out.extent[kBatch] * out.extent[kDepth] * out.extent[kHeight];
    const std::int64_t parts = parts_for(host, out.planes() * out.positions() / kGrain);
    if (ChannelPooling<T, MaxOp>::fits(x, out)) {
        parallel_for(host, parts, [&](std::int64_t part) {
            for_rows(out, 1, part_begin(lines, parts, part, 1), part_begin(lines, parts, part + 1, 1),
                     [&](std::int64_t n, std::int64_t, std::int64_t z, std::int64_t y) {
                         char *row = out.data + out.offset(n, 0) + z * out.stride[kDepth] + y * out.stride[kHeight];
                         for (std::int64_t o = 0; o < out.extent[kWidth]; ++o) {
                             const Corners<T> corners(x, sources[0][z], sources[1][y], sources[2] + o);
                             blend(x.data + x.offset(n, 0), corners, x.extent[kChannel],
                                   reinterpret_cast<T *>(row + o * out.stride[kWidth]));
                         }
                     });
        });
        return NDK_OK;
    }
    const Columns<T> columns(host, sources[2], out.extent[kWidth]);
    const RowUpsampling<T> work(sources, columns, x, out, call->integers[2] == kLinear);
    const Scratch<T> scratch(host, parts * work.scratch_size());
    if (columns.missing() || scratch.get() == nullptr) {
        return NDK_OUT_OF_MEMORY;
    }
    const std::int64_t rows = lines * out.extent[kChannel];
    parallel_for(host, parts, [&](std::int64_t part) {
        work.run(part_begin(rows, parts, part, 1), part_begin(rows, parts, part + 1, 1),
                 scratch.get() + part * work.scratch_size());
    });
    return NDK_OK;
}

} // namespace

ndk_status operators::upsample(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 1, 0, 1, kUpsampleIntegers, kSpatial); status != NDK_OK) {
        return status;
    }
    Image x;
    Image out;
    if (const ndk_status status = read_upsample(call, call->inputs[0], call->outputs[0], x, out); status != NDK_OK) {
        return status;
    }
    return call->inputs[0]->dtype == NDK_FLOAT32 ? upsample_typed<float>(call, x, out)
                                                 : upsample_typed<double>(call, x, out);
}

} // namespace ndk
