// SPDX-License-Identifier: Apache-2.0
//
// What is done across the lanes of vectors: picking them from two vectors, and folding those of one to a number.
#ifndef NDK_SHUFFLE_HPP
#define NDK_SHUFFLE_HPP

#include <utility>

#include "vec.hpp"

namespace ndk {

template <int Start, int Step, typename V, int... Lane>
[[gnu::always_inline]] inline V shuffled(V a, V b, std::integer_sequence<int, Lane...> /*lanes*/) {
    return __builtin_shufflevector(a, b, (Start + Step * Lane)...);
}

// Lanes Start, Start + Step, ... of two vectors that follow each other
template <typename T, int Start, int Step>
[[gnu::always_inline]] inline Vec<T> every_lane(Vec<T> a, Vec<T> b) {
    constexpr int kCount = static_cast<int>(kLanes<T>);
    if constexpr (kVectorBytes == 32 && kCount == 8 && Step == 2) { // as AVX2 does it, which GCC does not find
        constexpr int s = Start;
        const Vec<T> halves = __builtin_shufflevector(a, b, s, s + 2, s + 8, s + 10, s + 4, s + 6, s + 12, s + 14);
        return __builtin_shufflevector(halves, halves, 0, 1, 4, 5, 2, 3, 6, 7);
    } else {
        return shuffled<Start, Step>(a, b, std::make_integer_sequence<int, kCount>{});
    }
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> evens(Vec<T> a, Vec<T> b) {
    return every_lane<T, 0, 2>(a, b);
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> odds(Vec<T> a, Vec<T> b) {
    return every_lane<T, 1, 2>(a, b);
}

// Lanes 1, 2, ... of a vector, and then lane 0 of another
template <typename T>
[[gnu::always_inline]] inline Vec<T> moved_down(Vec<T> a, Vec<T> next) {
    return every_lane<T, 1, 1>(a, next);
}

// The last lane of a vector, and then all but the last one of another
template <typename T>
[[gnu::always_inline]] inline Vec<T> moved_up(Vec<T> before, Vec<T> a) {
    return every_lane<T, static_cast<int>(kLanes<T>) - 1, 1>(before, a);
}

// fold(a, b) over all lanes as a balanced tree: each step joins every lane with the one `Distance` lanes further.
template <typename T, int Distance = static_cast<int>(kLanes<T>) / 2, typename Fold>
[[gnu::always_inline]] inline T fold_lanes(Vec<T> v, const Fold &fold) {
    if constexpr (Distance == 0) {
        return v[0];
    } else {
        return fold_lanes<T, Distance / 2>(fold(v, every_lane<T, Distance, 1>(v, v)), fold);
    }
}

template <typename T>
[[gnu::always_inline]] inline T sum_of_lanes(Vec<T> v) {
    return fold_lanes<T>(v, [](Vec<T> a, Vec<T> b) { return a + b; });
}

} // namespace ndk
#endif // NDK_SHUFFLE_HPP
