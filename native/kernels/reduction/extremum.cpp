// SPDX-License-Identifier: Apache-2.0
//
// max and min. NaN where there is one, as in NumPy.
#include "reduction/extremum.hpp"
#include "reduction/either.hpp"
#include "reduction/engine.hpp"
#include "reduction/kernels.hpp"

namespace ndk {
namespace {

template <typename T, bool Largest>
struct ExtremumOf {
    using In = T;
    using State = T;
    using Order = Extremum<T, Largest>;
    static constexpr int kPlanes = 1;
    static constexpr bool kInOrder = false;
    static constexpr std::int64_t kLeaf = ReductionLayout::kSegment;
    static constexpr std::int64_t kLeafRows = 64;
    static constexpr std::int64_t kRowBytes = 8192; // the states stay in the L1 cache

    static bool settled(const T *) { return false; }
    void empty(T *state) const { *state = static_cast<T>(Largest ? -__builtin_inf() : __builtin_inf()); }

    void leaf(const T *x, std::int64_t count, T *state) const { *state = Order::of_elements(x, count); }

    void rows(const T *const *rows, std::int64_t count, std::int64_t width, T *states, std::int64_t) const {
        constexpr int kTogether = 8;
        std::int64_t row = 1;
        for (std::int64_t i = 0; i < width; ++i) {
            states[i] = rows[0][i];
        }
        for (; row + kTogether <= count; row += kTogether) {
            pick_rows<kTogether>(rows + row, width, states);
        }
        for (; row + 2 <= count; row += 2) {
            pick_rows<2>(rows + row, width, states);
        }
        if (row < count) {
            pick_rows<1>(rows + row, width, states);
        }
    }

    void merge(T *states, std::int64_t, const T *others, std::int64_t, std::int64_t width, std::int64_t) const {
        for (std::int64_t i = 0; i < width; ++i) {
            states[i] = Order::of(states[i], others[i]);
        }
    }

    void finish(const T *states, std::int64_t, std::int64_t width, std::int64_t, char *out, std::int64_t stride) const {
        scatter(states, out, stride, width);
    }

private:
    template <int Count>
    static void pick_rows(const T *const *rows, std::int64_t width, T *states) {
        const T *row[Count];
        for (int i = 0; i < Count; ++i) {
            row[i] = rows[i];
        }
        std::int64_t column = 0;
        for (; column + kLanes<T> <= width; column += kLanes<T>) {
            const Vec<T> old = load(states + column);
            Vec<T> best = old;
            LaneSet<T> nan = unordered<T>(old, load(row[0] + column));
            best = Order::pick(best, load(row[0] + column));
            for (int i = 1; i < Count; i += 2) {
                const Vec<T> a = load(row[i] + column);
                const Vec<T> b = load(row[i + 1 < Count ? i + 1 : i] + column);
                nan |= unordered<T>(a, b);
                best = Order::pick(best, Order::pick(a, b));
            }
            store(states + column, choose<T>(nan, splat(static_cast<T>(__builtin_nan(""))), best));
        }
        for (; column < width; ++column) {
            for (int i = 0; i < Count; ++i) {
                states[column] = Order::of(states[column], row[i][column]);
            }
        }
    }
};

template <typename T>
ndk_status extremum_typed(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    return reduce_with<Either<ExtremumOf<T, true>, ExtremumOf<T, false>>>(host, x, out, {op == NDK_MAX, {}, {}});
}

} // namespace

ndk_status reductions::extremum(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    return x->dtype == NDK_FLOAT32 ? extremum_typed<float>(host, op, x, out) : extremum_typed<double>(host, op, x, out);
}

} // namespace ndk
