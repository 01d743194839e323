// SPDX-License-Identifier: Apache-2.0
//
// The larger or the smaller of numbers and of vectors, where NaN wins.
#ifndef NDK_REDUCTION_EXTREMUM_HPP
#define NDK_REDUCTION_EXTREMUM_HPP

#include "reduction/lanes.hpp"

namespace ndk {

template <typename T, bool Largest>
struct Extremum {
    // Only where neither is NaN: one instruction.
    [[gnu::always_inline]] static Vec<T> pick(Vec<T> a, Vec<T> b) {
        if constexpr (Largest) {
            return a > b ? a : b;
        } else {
            return a < b ? a : b;
        }
    }

    // Whether a comes before b; NaN before everything, and the first of equals first.
    static bool wins(T a, T b) { return a != a || (Largest ? a >= b : a <= b); }
    static T of(T a, T b) { return wins(a, b) ? a : b; }

    // NaN where there is one among the `vectors` >= 1 at x.
    static T of_vectors(const T *x, std::int64_t vectors) {
        constexpr int kAccumulators = 4;
        const auto vector = [&](std::int64_t index) { return load(x + index * kLanes<T>); };
        Vec<T> best = vector(0);
        LaneSet<T> nan = unordered<T>(best, best);
        std::int64_t i = vectors % 2;
        if (vectors >= 2 * kAccumulators) {
            Vec<T> bests[kAccumulators] = {best, best, best, best};
            for (; i + 2 * kAccumulators <= vectors; i += 2 * kAccumulators) {
                for (int j = 0; j < kAccumulators; ++j) {
                    const Vec<T> a = vector(i + 2 * j);
                    const Vec<T> b = vector(i + 2 * j + 1);
                    nan |= unordered<T>(a, b);
                    bests[j] = pick(bests[j], pick(a, b));
                }
            }
            best = pick(pick(bests[0], bests[1]), pick(bests[2], bests[3]));
        }
        for (; i < vectors; i += 2) {
            const Vec<T> a = vector(i);
            const Vec<T> b = vector(i + 1);
            nan |= unordered<T>(a, b);
            best = pick(best, pick(a, b));
        }
        if (bits_of<T>(nan) != 0) {
            return static_cast<T>(__builtin_nan(""));
        }
        return fold_lanes<T>(best, [](Vec<T> a, Vec<T> b) { return pick(a, b); });
    }

    // The same for any number of elements >= 1.
    static T of_elements(const T *x, std::int64_t count) {
        if (count >= kLanes<T>) { // the last vector may overlap the one before it
            const T best = of_vectors(x, count / kLanes<T>);
            return count % kLanes<T> == 0 ? best : of(best, of_vectors(x + count - kLanes<T>, 1));
        }
        T best = x[0];
        for (std::int64_t i = 1; i < count; ++i) {
            best = of(best, x[i]);
        }
        return best;
    }
};

} // namespace ndk
#endif // NDK_REDUCTION_EXTREMUM_HPP
