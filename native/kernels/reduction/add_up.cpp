// SPDX-License-Identifier: Apache-2.0
//
// sum, mean and prod. 0, NaN and 1 over nothing.
#include "reduction/either.hpp"
#include "reduction/engine.hpp"
#include "reduction/kernels.hpp"
#include "reduction/lanes.hpp"

namespace ndk {
namespace {

struct Add {
    static constexpr int kNeutral = 0;
    template <typename Value>
    [[gnu::always_inline]] Value operator()(Value a, Value b) const {
        return a + b;
    }
};

struct Multiply {
    static constexpr int kNeutral = 1;
    template <typename Value>
    [[gnu::always_inline]] Value operator()(Value a, Value b) const {
        return a * b;
    }
};

template <typename T, typename Fold>
struct FoldAll {
    using In = T;
    using State = T;
    static constexpr int kPlanes = 1;
    static constexpr bool kInOrder = false;
    static constexpr std::int64_t kLeaf = ReductionLayout::kSegment;
    static constexpr std::int64_t kLeafRows = 64;
    static constexpr std::int64_t kRowBytes = 8192; // the states stay in the L1 cache
    static constexpr std::int64_t kBlock = 256;     // vectors that are folded before they are added to the total
    static constexpr int kAccumulators = 8;         // hide the latency of an addition
    static constexpr Fold kFold{};

    static bool settled(const T *) { return false; }
    void empty(T *state) const { *state = Fold::kNeutral; }

    void leaf(const T *x, std::int64_t count, T *state) const {
        const std::int64_t vectors = count / kLanes<T>;
        T rest = Fold::kNeutral;
        for (std::int64_t i = vectors * kLanes<T>; i < count; ++i) {
            rest = kFold(rest, x[i]);
        }
        *state = vectors == 0 ? rest : kFold(fold_lanes<T>(fold_vectors(x, vectors), kFold), rest);
    }

    void rows(const T *const *rows, std::int64_t count, std::int64_t width, T *states, std::int64_t) const {
        constexpr int kTogether = 8;
        std::int64_t row = count % kTogether;
        switch (row) {
        case 0:
            fold_rows<kTogether, true>(rows, width, states);
            row = kTogether;
            break;
        case 1:
            fold_rows<1, true>(rows, width, states);
            break;
        default:
            fold_rows<2, true>(rows, width, states);
            for (std::int64_t i = 2; i < row; ++i) {
                fold_rows<1, false>(rows + i, width, states);
            }
        }
        for (; row < count; row += kTogether) {
            fold_rows<kTogether, false>(rows + row, width, states);
        }
    }

    void merge(T *states, std::int64_t, const T *others, std::int64_t, std::int64_t width, std::int64_t) const {
        for (std::int64_t i = 0; i < width; ++i) {
            states[i] = kFold(states[i], others[i]);
        }
    }

    void finish(const T *states, std::int64_t, std::int64_t width, std::int64_t, char *out, std::int64_t stride) const {
        scatter(states, out, stride, width);
    }

private:
    // `vectors` >= 1. Blocks are added up one after the other: a call for each half of them would stop the stream of
    // loads.
    [[gnu::noinline]] Vec<T> fold_vectors(const T *x, std::int64_t vectors) const {
        const auto vector = [&](std::int64_t index) { return load(x + index * kLanes<T>); };
        if (vectors < kAccumulators) {
            Vec<T> total = vector(0);
            for (std::int64_t j = 1; j < vectors; ++j) {
                total = kFold(total, vector(j));
            }
            return total;
        }
        Vec<T> totals[kAccumulators];
#pragma GCC unroll 8 // or GCC copies them through memory, in pieces of another size
        for (int j = 0; j < kAccumulators; ++j) {
            totals[j] = vector(j);
        }
        const std::int64_t whole = vectors / kAccumulators * kAccumulators;
        for (std::int64_t i = kAccumulators; i < whole;) {
            const std::int64_t end = i + kBlock < whole ? i + kBlock : whole;
            Vec<T> block[kAccumulators];
#pragma GCC unroll 8
            for (int j = 0; j < kAccumulators; ++j) {
                block[j] = vector(i + j);
            }
            for (i += kAccumulators; i < end; i += kAccumulators) {
                for (int j = 0; j < kAccumulators; ++j) {
                    block[j] = kFold(block[j], vector(i + j));
                }
            }
            for (int j = 0; j < kAccumulators; ++j) {
                totals[j] = kFold(totals[j], block[j]);
            }
        }
        for (std::int64_t i = whole; i < vectors; ++i) {
            totals[0] = kFold(totals[0], vector(i));
        }
        return tree<kAccumulators>([&](int j) { return totals[j]; });
    }

    template <int Count, int First = 0, typename Term>
    [[gnu::always_inline]] static auto tree(const Term &term) {
        if constexpr (Count == 1) {
            return term(First);
        } else {
            return kFold(tree<Count / 2, First>(term), tree<Count / 2, First + Count / 2>(term));
        }
    }

    template <int Count, bool First>
    static void fold_rows(const T *const *rows, std::int64_t width, T *states) {
        const T *row[Count];
        for (int i = 0; i < Count; ++i) {
            row[i] = rows[i];
        }
        std::int64_t column = 0;
        for (; column + kLanes<T> <= width; column += kLanes<T>) {
            const Vec<T> total = tree<Count>([&](int i) { return load(row[i] + column); });
            store(states + column, First ? total : kFold(load(states + column), total));
        }
        for (; column < width; ++column) {
            const T total = tree<Count>([&](int i) { return row[i][column]; });
            states[column] = First ? total : kFold(states[column], total);
        }
    }
};

template <typename T>
struct SumOrMean : FoldAll<T, Add> {
    bool mean;

    void finish(const T *states, std::int64_t count, std::int64_t width, std::int64_t, char *out,
                std::int64_t stride) const {
        if (!mean) {
            scatter(states, out, stride, width);
            return;
        }
        for (std::int64_t i = 0; i < width; ++i) {
            *reinterpret_cast<T *>(out + i * stride) = states[i] / static_cast<T>(count);
        }
    }
};

template <typename T>
ndk_status add_up_typed(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    using Operation = Either<SumOrMean<T>, FoldAll<T, Multiply>>;
    const Operation operation{op != NDK_PROD, {{}, op == NDK_MEAN}, {}};
    return reduce_with(host, x, out, operation);
}

} // namespace

ndk_status reductions::add_up(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    return x->dtype == NDK_FLOAT32 ? add_up_typed<float>(host, op, x, out) : add_up_typed<double>(host, op, x, out);
}

} // namespace ndk
