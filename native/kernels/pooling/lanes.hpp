// SPDX-License-Identifier: Apache-2.0
//
// What pooling asks of vectors beyond arithmetic: parts of a vector, the larger of two with NaN, every second element.
#ifndef NDK_POOLING_LANES_HPP
#define NDK_POOLING_LANES_HPP

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include <type_traits>

#include "shuffle.hpp"

namespace ndk {

#if defined(__AVX2__) && !defined(__AVX512F__)
// All bits of the first `count` lanes
template <typename T>
[[gnu::always_inline]] inline __m256i first_lanes(std::int64_t count) {
    if constexpr (std::is_same_v<T, float>) {
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                                  _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    } else {
        return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
    }
}
#endif

// The first `count` <= kLanes elements, and `rest` in the other lanes, whose memory is not touched.
template <typename T>
[[gnu::always_inline]] inline Vec<T> load_first(const T *from, std::int64_t count, Vec<T> rest) {
#if defined(__AVX512F__)
    const auto mask = (1U << count) - 1U;
    if constexpr (std::is_same_v<T, float>) {
        return reinterpret_cast<Vec<T>>(
            _mm512_mask_loadu_ps(reinterpret_cast<__m512>(rest), static_cast<__mmask16>(mask), from));
    } else {
        return reinterpret_cast<Vec<T>>(
            _mm512_mask_loadu_pd(reinterpret_cast<__m512d>(rest), static_cast<__mmask8>(mask), from));
    }
#elif defined(__AVX2__)
    const __m256i mask = first_lanes<T>(count);
    if constexpr (std::is_same_v<T, float>) {
        return reinterpret_cast<Vec<T>>(_mm256_blendv_ps(reinterpret_cast<__m256>(rest), _mm256_maskload_ps(from, mask),
                                                         _mm256_castsi256_ps(mask)));
    } else {
        return reinterpret_cast<Vec<T>>(_mm256_blendv_pd(reinterpret_cast<__m256d>(rest),
                                                         _mm256_maskload_pd(from, mask), _mm256_castsi256_pd(mask)));
    }
#else
    for (std::int64_t i = 0; i < count; ++i) {
        rest[i] = from[i];
    }
    return rest;
#endif
}

// The first `count` < kLanes elements; the memory behind them is not touched.
template <typename T>
[[gnu::always_inline]] inline void store_first(T *to, Vec<T> value, std::int64_t count) {
#if defined(__AVX512F__)
    const auto mask = (1U << count) - 1U;
    if constexpr (std::is_same_v<T, float>) {
        _mm512_mask_storeu_ps(to, static_cast<__mmask16>(mask), reinterpret_cast<__m512>(value));
    } else {
        _mm512_mask_storeu_pd(to, static_cast<__mmask8>(mask), reinterpret_cast<__m512d>(value));
    }
#elif defined(__AVX2__)
    if constexpr (std::is_same_v<T, float>) {
        _mm256_maskstore_ps(to, first_lanes<T>(count), reinterpret_cast<__m256>(value));
    } else {
        _mm256_maskstore_pd(to, first_lanes<T>(count), reinterpret_cast<__m256d>(value));
    }
#else
    for (std::int64_t i = 0; i < count; ++i) {
        to[i] = value[i];
    }
#endif
}

// The larger of two numbers, or NaN where either is. The x86 instruction answers with its second operand when one is
// NaN, which keeps a NaN in `most`; one in `x` has to be asked for.
template <typename T>
[[gnu::always_inline]] inline Vec<T> larger(Vec<T> most, Vec<T> x) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) {
        const auto v = reinterpret_cast<__m512>(x);
        return reinterpret_cast<Vec<T>>(
            _mm512_mask_max_ps(v, _mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v, reinterpret_cast<__m512>(most)));
    } else {
        const auto v = reinterpret_cast<__m512d>(x);
        return reinterpret_cast<Vec<T>>(
            _mm512_mask_max_pd(v, _mm512_cmp_pd_mask(v, v, _CMP_ORD_Q), v, reinterpret_cast<__m512d>(most)));
    }
#elif defined(__AVX__)
    if constexpr (std::is_same_v<T, float>) {
        const auto v = reinterpret_cast<__m256>(x);
        return reinterpret_cast<Vec<T>>(
            _mm256_or_ps(_mm256_max_ps(v, reinterpret_cast<__m256>(most)), _mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
    } else {
        const auto v = reinterpret_cast<__m256d>(x);
        return reinterpret_cast<Vec<T>>(
            _mm256_or_pd(_mm256_max_pd(v, reinterpret_cast<__m256d>(most)), _mm256_cmp_pd(v, v, _CMP_UNORD_Q)));
    }
#elif defined(__SSE2__)
    if constexpr (std::is_same_v<T, float>) {
        const auto v = reinterpret_cast<__m128>(x);
        return reinterpret_cast<Vec<T>>(
            _mm_or_ps(_mm_max_ps(v, reinterpret_cast<__m128>(most)), _mm_cmpunord_ps(v, v)));
    } else {
        const auto v = reinterpret_cast<__m128d>(x);
        return reinterpret_cast<Vec<T>>(
            _mm_or_pd(_mm_max_pd(v, reinterpret_cast<__m128d>(most)), _mm_cmpunord_pd(v, v)));
    }
#else
    const Vec<T> m = x > most ? x : most;
    return x != x ? x : m;
#endif
}

template <typename T>
[[gnu::always_inline]] inline T larger_of(T most, T x) {
    const T number = x > most ? x : most; // one instruction, where the condition as a whole would be a branch
    return x != x ? x : number;
}

// What windows are reduced by: a neutral element, and the operation on vectors and on numbers.
struct MaxOp {
    static constexpr bool kMean = false;
    template <typename T>
    static constexpr T kNeutral = -static_cast<T>(__builtin_inf());
    template <typename T>
    [[gnu::always_inline]] static Vec<T> vectors(Vec<T> most, Vec<T> x) {
        return larger<T>(most, x);
    }
    template <typename T>
    [[gnu::always_inline]] static T numbers(T most, T x) {
        return larger_of(most, x);
    }
};
struct MeanOp {
    static constexpr bool kMean = true;
    template <typename T>
    static constexpr T kNeutral = 0;
    template <typename T>
    [[gnu::always_inline]] static Vec<T> vectors(Vec<T> total, Vec<T> x) {
        return total + x;
    }
    template <typename T>
    [[gnu::always_inline]] static T numbers(T total, T x) {
        return total + x;
    }
};

} // namespace ndk
#endif // NDK_POOLING_LANES_HPP
