// SPDX-License-Identifier: Apache-2.0
//
// Parts of vectors, and copies of short runs of elements: with masks where the machine has them.
#ifndef NDK_CONVOLUTION_PARTIAL_HPP
#define NDK_CONVOLUTION_PARTIAL_HPP

#include "shuffle.hpp"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace ndk::convolution {

// The first `count` elements, 0 <= count <= kLanes; the other lanes are 0 and their memory is not touched.
template <typename T>
[[gnu::always_inline]] inline Vec<T> load_first(const T *from, std::int64_t count) {
#if defined(__AVX512F__)
    const auto mask = (1U << count) - 1U;
    if constexpr (sizeof(T) == 4) {
        return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from));
    } else {
        return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), from));
    }
#else
    return count == kLanes<T> ? load(from) : load_partial(from, count);
#endif
}

template <typename T>
[[gnu::always_inline]] inline void store_first(T *to, Vec<T> value, std::int64_t count) {
#if defined(__AVX512F__)
    const auto mask = (1U << count) - 1U;
    if constexpr (sizeof(T) == 4) {
        _mm512_mask_storeu_ps(to, static_cast<__mmask16>(mask), reinterpret_cast<__m512>(value));
    } else {
        _mm512_mask_storeu_pd(to, static_cast<__mmask8>(mask), reinterpret_cast<__m512d>(value));
    }
#else
    if (count == kLanes<T>) {
        store(to, value);
    } else {
        store_partial(to, value, count);
    }
#endif
}

template <typename T>
[[gnu::always_inline]] inline void copy_short(const T *from, T *to, std::int64_t count) {
    std::int64_t i = 0;
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        store(to + i, load(from + i));
    }
#if defined(__AVX512F__)
    if (i < count) {
        store_first(to + i, load_first(from + i, count - i), count - i);
    }
#else
    for (; i < count; ++i) {
        to[i] = from[i];
    }
#endif
}

#if defined(__AVX512F__)
// The lanes of `mask`; the others stay as they are and their memory is not touched.
template <typename T>
[[gnu::always_inline]] inline Vec<T> load_lanes(Vec<T> value, const T *from, unsigned mask) {
    if constexpr (sizeof(T) == 4) {
        return reinterpret_cast<Vec<T>>(
            _mm512_mask_loadu_ps(reinterpret_cast<__m512>(value), static_cast<__mmask16>(mask), from));
    } else {
        return reinterpret_cast<Vec<T>>(
            _mm512_mask_loadu_pd(reinterpret_cast<__m512d>(value), static_cast<__mmask8>(mask), from));
    }
}
#endif

// Every second element.
template <typename T>
[[gnu::always_inline]] inline void copy_every_second(const T *from, T *to, std::int64_t count) {
    std::int64_t i = 0;
    // The last vector ends one element beyond what is asked for, so that needs a following element of the run.
    for (; i + kLanes<T> < count; i += kLanes<T>) {
        store(to + i, evens<T>(load(from + 2 * i), load(from + 2 * i + kLanes<T>)));
    }
#if defined(__AVX512F__)
    if (const std::int64_t left = 2 * (count - i) - 1; left > 0) {
        const std::int64_t low = left < kLanes<T> ? left : kLanes<T>;
        const Vec<T> high = load_first(from + 2 * i + low, left - low);
        store_first(to + i, evens<T>(load_first(from + 2 * i, low), high), count - i);
    }
#else
    for (; i < count; ++i) {
        to[i] = from[2 * i];
    }
#endif
}

template <typename T>
[[gnu::always_inline]] inline void copy_spread(const T *from, std::int64_t step, T *to, std::int64_t count) {
    if (step == 1) {
        copy_short(from, to, count);
    } else if (step == 2) {
        copy_every_second(from, to, count);
    } else {
        for (std::int64_t i = 0; i < count; ++i) {
            to[i] = from[i * step];
        }
    }
}

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_PARTIAL_HPP
