// SPDX-License-Identifier: Apache-2.0
//
// global_pool: inputs x, (N, C, spatial...) or (N, spatial..., C) with 1 to 3 spatial axes; outputs out, of x's dtype
// (float32, float64) and shape, spatial extents 1; integers (spatial, channels_last, op), op 0 for the mean and 1 for
// the maximum; no numbers.
//
// Semantics: GlobalAveragePool and GlobalMaxPool of ONNX. The mean of nothing is NaN, and its maximum is -inf. NaN
// propagates. Sums are taken of runs of 64 vectors, whose totals are added in pairs of vectors, so that the error
// does not grow with the image.
//
// Scratch: none.
#include "call.hpp"
#include "host.hpp"
#include "pooling/geometry.hpp"
#include "pooling/lanes.hpp"

namespace ndk {
namespace {

constexpr std::int64_t kGrain = std::int64_t{1} << 15; // elements of x that are worth a thread
constexpr std::int64_t kRun = 64 * kLanes<float>;

// A run of elements that lie together
template <typename T, typename Op>
[[gnu::always_inline]] inline T reduce_run(const T *x, std::int64_t count) {
    constexpr std::int64_t kStep = kLanes<T>;
    const Vec<T> neutral = splat<T>(Op::template kNeutral<T>);
    Vec<T> values[4] = {neutral, neutral, neutral, neutral};
    std::int64_t i = 0;
    for (; i + 4 * kStep <= count; i += 4 * kStep) {
        for (std::int64_t u = 0; u < 4; ++u) {
            values[u] = Op::template vectors<T>(values[u], load(x + i + u * kStep));
        }
    }
    for (; i + kStep <= count; i += kStep) { // no values[u] here: an index that varies would send them to memory
        values[0] = Op::template vectors<T>(values[0], load(x + i));
    }
    if (i < count) {
        values[3] = Op::template vectors<T>(values[3], load_first<T>(x + i, count - i, neutral));
    }
    const auto both = [](Vec<T> a, Vec<T> b) { return Op::template vectors<T>(a, b); };
    return fold_lanes<T>(both(both(values[0], values[1]), both(values[2], values[3])), both);
}

// The same with a stride
template <typename T, typename Op>
T reduce_strided_run(const char *x, std::int64_t stride, std::int64_t count) {
    T values[4] = {Op::template kNeutral<T>, Op::template kNeutral<T>, Op::template kNeutral<T>,
                   Op::template kNeutral<T>};
    for (std::int64_t i = 0; i < count; ++i) {
        values[i & 3] = Op::template numbers<T>(values[i & 3], *reinterpret_cast<const T *>(x + i * stride));
    }
    return Op::template numbers<T>(Op::template numbers<T>(values[0], values[1]),
                                   Op::template numbers<T>(values[2], values[3]));
}

// Adds up in the way of a binary counter: totals of equally many runs are joined (Higham, Accuracy and Stability of
// Numerical Algorithms, 2nd ed., section 4.2).
template <typename V, typename Join>
class Totals {
public:
    explicit Totals(const Join &join) : join_(join) {}

    void add(V total) {
        std::uint64_t count = count_++;
        for (int level = 0;; ++level, count >>= 1) {
            if ((count & 1) == 0) {
                held_[level] = total;
                return;
            }
            total = join_(held_[level], total);
        }
    }

    V take(V neutral) const {
        V total = neutral;
        for (int level = 0; count_ >> level != 0; ++level) {
            total = (count_ >> level & 1) != 0 ? join_(held_[level], total) : total;
        }
        return total;
    }

private:
    const Join &join_;
    std::uint64_t count_ = 0;
    V held_[64];
};

// A plane as few loops: the innermost one is taken in runs.
template <typename T, typename Op>
T reduce_plane(const char *x, const LoopNest<1> &outer, std::int64_t inner, std::int64_t stride) {
    const auto run = [&](const char *from, std::int64_t count) {
        return stride == sizeof(T) ? reduce_run<T, Op>(reinterpret_cast<const T *>(from), count)
                                   : reduce_strided_run<T, Op>(from, stride, count);
    };
    if (outer.size == 1 && inner <= kRun) {
        return run(x + outer.offset[0], inner);
    }
    const auto join = [](T left, T right) { return Op::template numbers<T>(left, right); };
    Totals<T, decltype(join)> totals(join);
    Cursor<1> cursor(outer, 0);
    for (std::int64_t i = 0; i < outer.size; ++i, cursor.next()) {
        for (std::int64_t begin = 0; begin < inner; begin += kRun) {
            totals.add(run(x + cursor.offset[0] + begin * stride, inner - begin < kRun ? inner - begin : kRun));
        }
    }
    return totals.take(Op::template kNeutral<T>);
}

// Some channels that lie together, `Vectors` full vectors of them or a part of one
template <typename T, typename Op, int Vectors>
void reduce_channels(const char *x, const LoopNest<1> &outer, std::int64_t inner, std::int64_t stride, T scale, T *out,
                     std::int64_t part) {
    struct Block {
        Vec<T> values[Vectors];
    };
    const Vec<T> neutral = splat<T>(Op::template kNeutral<T>);
    Block nothing;
    for (int u = 0; u < Vectors; ++u) {
        nothing.values[u] = neutral;
    }
    const auto join = [](const Block &left, const Block &right) {
        Block both;
        for (int u = 0; u < Vectors; ++u) {
            both.values[u] = Op::template vectors<T>(left.values[u], right.values[u]);
        }
        return both;
    };
    Totals<Block, decltype(join)> totals(join);
    constexpr std::int64_t kRows = 64; // positions whose values are added one after the other
    Cursor<1> cursor(outer, 0);
    for (std::int64_t i = 0; i < outer.size; ++i, cursor.next()) {
        const char *row = x + cursor.offset[0];
        for (std::int64_t begin = 0; begin < inner; begin += kRows) {
            Vec<T> values[Vectors];
            for (int u = 0; u < Vectors; ++u) {
                values[u] = neutral;
            }
            const std::int64_t end = inner - begin < kRows ? inner : begin + kRows;
            for (std::int64_t w = begin; w < end; ++w) {
                const T *from = reinterpret_cast<const T *>(row + w * stride);
                for (int u = 0; u < Vectors; ++u) {
                    const Vec<T> each = part == 0 ? load(from + u * kLanes<T>) : load_first<T>(from, part, neutral);
                    values[u] = Op::template vectors<T>(values[u], each);
                }
            }
            Block block;
            for (int u = 0; u < Vectors; ++u) {
                block.values[u] = values[u];
            }
            totals.add(block);
        }
    }
    const Block total = totals.take(nothing);
    for (int u = 0; u < Vectors; ++u) {
        const Vec<T> value = Op::kMean ? total.values[u] * splat(scale) : total.values[u];
        if (part == 0) {
            store(out + u * kLanes<T>, value);
        } else {
            store_first<T>(out, value, part);
        }
    }
}

template <typename T, typename Op>
ndk_status global_typed(const ndk_host *host, const Image &x, const Image &out) {
    LoopNest<1> outer;
    for (int axis = kDepth; axis < kImageAxes; ++axis) {
        outer.insert(x.extent[axis], {x.stride[axis]});
    }
    outer.merge();
    std::int64_t stride[1];
    const std::int64_t inner = outer.take_inner(stride);
    const T scale = T{1} / static_cast<T>(x.positions());
    const std::int64_t channels = x.extent[kChannel];
    const bool last =
        x.stride[kChannel] == sizeof(T) && out.stride[kChannel] == sizeof(T) && channels > 1 && x.positions() > 1;
    constexpr std::int64_t kVectors = 4;
    const std::int64_t block = last ? kVectors * kLanes<T> : 1;
    const std::int64_t blocks = (channels + block - 1) / block;
    const std::int64_t units = x.extent[kBatch] * blocks;
    const std::int64_t parts = parts_for(host, x.planes() * x.positions() / kGrain);
    parallel_for(host, parts, [&](std::int64_t part) {
        const std::int64_t begin = part_begin(units, parts, part, 1);
        const std::int64_t end = part_begin(units, parts, part + 1, 1);
        std::int64_t n = begin / blocks;
        std::int64_t place =
            begin % blocks; // of the block in its image; stepped, as a division takes longer than a plane
        for (std::int64_t unit = begin; unit < end; ++unit) {
            std::int64_t c = place * block;
            const char *from = x.data + x.offset(n, c);
            T *to = reinterpret_cast<T *>(out.data + out.offset(n, c));
            if (++place == blocks) {
                place = 0;
                ++n;
            }
            if (!last) {
                const T value = reduce_plane<T, Op>(from, outer, inner, stride[0]);
                *to = Op::kMean ? value / static_cast<T>(x.positions()) : value;
                continue;
            }
            if (c + block <= channels) {
                reduce_channels<T, Op, kVectors>(from, outer, inner, stride[0], scale, to, 0);
                continue;
            }
            for (; c + kLanes<T> <= channels; c += kLanes<T>, to += kLanes<T>, from += kVectorBytes) {
                reduce_channels<T, Op, 1>(from, outer, inner, stride[0], scale, to, 0);
            }
            if (c < channels) {
                reduce_channels<T, Op, 1>(from, outer, inner, stride[0], scale, to, channels - c);
            }
        }
    });
    return NDK_OK;
}

} // namespace

ndk_status operators::global_pool(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 1, 0, 1, 3, 0); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *given = call->inputs[0];
    const std::int64_t *integers = call->integers;
    Image x;
    Image out;
    if (given->dtype != call->outputs[0]->dtype || given->ndim != call->outputs[0]->ndim ||
        !read_image(given, integers[0], integers[1], x) ||
        !read_image(call->outputs[0], integers[0], integers[1], out) || !same_planes(x, out) || out.positions() != 1 ||
        integers[2] < 0 || integers[2] > 1) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!is_float(given->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    const bool mean = integers[2] == 0;
    if (given->dtype == NDK_FLOAT32) {
        return mean ? global_typed<float, MeanOp>(call->host, x, out) : global_typed<float, MaxOp>(call->host, x, out);
    }
    return mean ? global_typed<double, MeanOp>(call->host, x, out) : global_typed<double, MaxOp>(call->host, x, out);
}

} // namespace ndk
