// SPDX-License-Identifier: Apache-2.0
//
// Sets of lanes, which reductions choose by.
#ifndef NDK_REDUCTION_LANES_HPP
#define NDK_REDUCTION_LANES_HPP

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <type_traits>

#include "shuffle.hpp"

namespace ndk {

// A set of lanes. The compiler's own vectors of 0 and -1 cost several instructions where a comparison writes a mask
// register (AVX-512), and it does not find the one comparison that sees NaN in either of two vectors.
#if defined(__AVX512F__)
template <typename T>
using LaneSet = std::conditional_t<sizeof(T) == 4, __mmask16, __mmask8>;

template <typename T, int Comparison>
[[gnu::always_inline]] inline LaneSet<T> lanes_where(Vec<T> a, Vec<T> b) {
    if constexpr (sizeof(T) == 4) {
        return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), Comparison);
    } else {
        return _mm512_cmp_pd_mask(reinterpret_cast<__m512d>(a), reinterpret_cast<__m512d>(b), Comparison);
    }
}

template <typename T>
[[gnu::always_inline]] inline LaneSet<T> unordered(Vec<T> a, Vec<T> b) {
    return lanes_where<T, _CMP_UNORD_Q>(a, b);
}

template <typename T>
[[gnu::always_inline]] inline LaneSet<T> equal(Vec<T> a, Vec<T> b) {
    return lanes_where<T, _CMP_EQ_OQ>(a, b);
}

template <typename T>
[[gnu::always_inline]] inline unsigned bits_of(LaneSet<T> set) {
    return set;
}

template <typename T>
[[gnu::always_inline]] inline Bits<T> choose(LaneSet<T> set, Bits<T> a, Bits<T> b) {
    const auto x = reinterpret_cast<__m512i>(a);
    const auto y = reinterpret_cast<__m512i>(b);
    if constexpr (sizeof(T) == 4) {
        return reinterpret_cast<Bits<T>>(_mm512_mask_blend_epi32(set, y, x));
    } else {
        return reinterpret_cast<Bits<T>>(_mm512_mask_blend_epi64(set, y, x));
    }
}

// Lanes where x is larger (or smaller) than y, or one of them is NaN.
template <typename T, bool Larger>
[[gnu::always_inline]] inline LaneSet<T> beyond(Vec<T> x, Vec<T> y) {
    return lanes_where<T, Larger ? _CMP_NLE_UQ : _CMP_NGE_UQ>(x, y);
}
#else
template <typename T>
using LaneSet = Bits<T>;

template <typename T>
[[gnu::always_inline]] inline LaneSet<T> unordered(Vec<T> a, Vec<T> b) {
#if defined(__AVX__)
    if constexpr (sizeof(T) == 4) {
        return reinterpret_cast<Bits<T>>(
            _mm256_cmp_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), _CMP_UNORD_Q));
    } else {
        return reinterpret_cast<Bits<T>>(
            _mm256_cmp_pd(reinterpret_cast<__m256d>(a), reinterpret_cast<__m256d>(b), _CMP_UNORD_Q));
    }
#elif defined(__SSE2__)
    if constexpr (sizeof(T) == 4) {
        return reinterpret_cast<Bits<T>>(_mm_cmpunord_ps(reinterpret_cast<__m128>(a), reinterpret_cast<__m128>(b)));
    } else {
        return reinterpret_cast<Bits<T>>(_mm_cmpunord_pd(reinterpret_cast<__m128d>(a), reinterpret_cast<__m128d>(b)));
    }
#else
    return (a != a) | (b != b);
#endif
}

template <typename T>
[[gnu::always_inline]] inline LaneSet<T> equal(Vec<T> a, Vec<T> b) {
    return a == b;
}

template <typename T>
[[gnu::always_inline]] inline Bits<T> choose(LaneSet<T> set, Bits<T> a, Bits<T> b) {
    return (a & set) | (b & ~set);
}

template <typename T, bool Larger>
[[gnu::always_inline]] inline LaneSet<T> beyond(Vec<T> x, Vec<T> y) {
    return ~(Larger ? x <= y : x >= y);
}

// Bit i for lane i.
template <typename T>
[[gnu::always_inline]] inline unsigned bits_of(LaneSet<T> set) {
#if defined(__AVX__)
    if constexpr (sizeof(T) == 4) {
        return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(set)));
    } else {
        return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<__m256d>(set)));
    }
#elif defined(__SSE2__)
    if constexpr (sizeof(T) == 4) {
        return static_cast<unsigned>(_mm_movemask_ps(reinterpret_cast<__m128>(set)));
    } else {
        return static_cast<unsigned>(_mm_movemask_pd(reinterpret_cast<__m128d>(set)));
    }
#else
    unsigned bits = 0;
    for (int i = 0; i < static_cast<int>(kLanes<T>); ++i) {
        bits |= set[i] != 0 ? 1U << i : 0U;
    }
    return bits;
#endif
}
#endif

template <typename T>
[[gnu::always_inline]] inline Vec<T> choose(LaneSet<T> set, Vec<T> a, Vec<T> b) {
    return reinterpret_cast<Vec<T>>(choose<T>(set, reinterpret_cast<Bits<T>>(a), reinterpret_cast<Bits<T>>(b)));
}

} // namespace ndk
#endif // NDK_REDUCTION_LANES_HPP
