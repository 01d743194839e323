// SPDX-License-Identifier: Apache-2.0
//
// What the elementary functions are made of. The intrinsics are there where the compilers do not find the instruction
// by themselves; everything else is written over vector extensions.
#ifndef NDK_MATH_BASIC_HPP
#define NDK_MATH_BASIC_HPP

#include <type_traits>

#include "vec.hpp"

#if defined(__SSE2__)
#if defined(__GNUC__) && !defined(__clang__) // GCC's bug 105593: its own header sets a variable to itself
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif

namespace ndk {

// Adding kRound to a number of magnitude below 2^(kMantissaBits - 1) leaves the nearest integer in the low bits.
template <typename T>
struct Format;

template <>
struct Format<float> {
    static constexpr int kMantissaBits = 23;
    static constexpr int kBias = 127;
    static constexpr std::int32_t kSign = INT32_MIN;
    static constexpr float kRound = 0x1.8p23f;
    static constexpr float kInfinity = __builtin_inff();
    static constexpr float kNan = __builtin_nanf("");
    static constexpr float kLargest = 0x1.fffffep127f;
    static constexpr float kSplitter = 0x1p12f + 1; // of Veltkamp's splitting
};

template <>
struct Format<double> {
    static constexpr int kMantissaBits = 52;
    static constexpr int kBias = 1023;
    static constexpr std::int64_t kSign = INT64_MIN;
    static constexpr double kRound = 0x1.8p52;
    static constexpr double kInfinity = __builtin_inf();
    static constexpr double kNan = __builtin_nan("");
    static constexpr double kLargest = 0x1.fffffffffffffp1023;
    static constexpr double kSplitter = 0x1p27 + 1;
};

template <typename T>
[[gnu::always_inline]] inline Bits<T> bits_of(Vec<T> x) {
    return reinterpret_cast<Bits<T>>(x);
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> from_bits(Bits<T> bits) {
    return reinterpret_cast<Vec<T>>(bits);
}

// Zeros come in from the left.
template <typename T>
[[gnu::always_inline]] inline Bits<T> shifted_right(Bits<T> bits, int count) {
    typedef std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t> Word;
    typedef Word Unsigned __attribute__((vector_size(NDK_VECTOR_BYTES)));
    return reinterpret_cast<Bits<T>>(reinterpret_cast<Unsigned>(bits) >> static_cast<Word>(count));
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> magnitude_of(Vec<T> x) {
    return from_bits<T>(bits_of<T>(x) & ~Format<T>::kSign);
}

// `magnitude`, which has no sign, with the sign of `x`.
template <typename T>
[[gnu::always_inline]] inline Vec<T> with_sign_of(Vec<T> magnitude, Vec<T> x) {
    return from_bits<T>(bits_of<T>(magnitude) | (bits_of<T>(x) & Format<T>::kSign));
}

#if defined(__AVX512F__)
#define NDK_X86(name) _mm512_##name
#elif defined(__AVX__)
#define NDK_X86(name) _mm256_##name
#elif defined(__SSE2__)
#define NDK_X86(name) _mm_##name
#endif

// a < b ? a : b, and a > b ? a : b: `b` where one of them is NaN.
template <typename T>
[[gnu::always_inline]] inline Vec<T> lesser(Vec<T> a, Vec<T> b) {
#if defined(NDK_X86)
    if constexpr (sizeof(T) == 4) {
        return NDK_X86(min_ps)(a, b);
    } else {
        return NDK_X86(min_pd)(a, b);
    }
#else
    return a < b ? a : b;
#endif
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> greater(Vec<T> a, Vec<T> b) {
#if defined(NDK_X86)
    if constexpr (sizeof(T) == 4) {
        return NDK_X86(max_ps)(a, b);
    } else {
        return NDK_X86(max_pd)(a, b);
    }
#else
    return a > b ? a : b;
#endif
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> square_root(Vec<T> x) {
#if defined(NDK_X86)
    if constexpr (sizeof(T) == 4) {
        return NDK_X86(sqrt_ps)(x);
    } else {
        return NDK_X86(sqrt_pd)(x);
    }
#else
    Vec<T> result;
    for (std::int64_t i = 0; i < kLanes<T>; ++i) {
        result[i] = __builtin_sqrt(x[i]);
    }
    return result;
#endif
}

// Whether a lane of a comparison is true.
template <typename T>
[[gnu::always_inline]] inline bool any_of(Bits<T> mask) {
#if defined(__AVX512DQ__)
    if constexpr (sizeof(T) == 4) {
        return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask)) != 0;
    } else {
        return _mm512_movepi64_mask(reinterpret_cast<__m512i>(mask)) != 0;
    }
#elif defined(__AVX__)
    return _mm256_movemask_ps(reinterpret_cast<__m256>(mask)) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_ps(reinterpret_cast<__m128>(mask)) != 0;
#else
    bool any = false;
    for (std::int64_t i = 0; i < kLanes<T>; ++i) {
        any = any || mask[i] != 0;
    }
    return any;
#endif
}

// An estimate of 1 / b for a normal `b` of magnitude below 2^126, which one of Newton's iterations brings to full
// precision.
template <typename T>
[[gnu::always_inline]] inline Vec<T> reciprocal_estimate(Vec<T> b) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        return _mm512_rcp14_ps(b);
    } else {
        const Vec<T> inverse = _mm512_rcp14_pd(b);
        return inverse + inverse * (T{1} - b * inverse);
    }
#else
    return T{1} / b;
#endif
}

// 1 / b for such a `b`, within 1 ulp.
template <typename T>
[[gnu::always_inline]] inline Vec<T> reciprocal(Vec<T> b) {
    const Vec<T> inverse = reciprocal_estimate<T>(b);
#if defined(__AVX512F__)
    return inverse + inverse * (T{1} - b * inverse);
#else
    return inverse;
#endif
}

// a / b for a finite `a` and such a `b`. The divider of 512-bit registers is slow: Newton's iteration, then one
// correction of the quotient by its exact remainder, is faster and wrong by no more than the last rounding.
template <typename T>
[[gnu::always_inline]] inline Vec<T> quotient(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
    const Vec<T> inverse = reciprocal<T>(b);
    const Vec<T> q = a * inverse;
    return q + (a - q * b) * inverse;
#else
    return a / b;
#endif
}

// 1 / (b + b_low), where b_low is far smaller.
template <typename T>
[[gnu::always_inline]] inline Vec<T> reciprocal(Vec<T> b, Vec<T> b_low) {
    const Vec<T> inverse = reciprocal_estimate<T>(b);
#if defined(__AVX512F__)
    return inverse + inverse * ((T{1} - b * inverse) - b_low * inverse);
#else
    return inverse - inverse * (b_low * inverse);
#endif
}

// a b - product, exactly, where `product` is a b rounded: by the fused instruction, or with Dekker's product (A
// floating-point technique for extending the available precision, 1971) on Veltkamp's halves.
template <typename T>
[[gnu::always_inline]] inline Vec<T> product_error(Vec<T> a, Vec<T> b, Vec<T> product) {
#if defined(__FMA__)
    if constexpr (sizeof(T) == 4) {
        return NDK_X86(fmsub_ps)(a, b, product);
    } else {
        return NDK_X86(fmsub_pd)(a, b, product);
    }
#else
    const Vec<T> a_scaled = a * Format<T>::kSplitter;
    const Vec<T> b_scaled = b * Format<T>::kSplitter;
    const Vec<T> a_high = a_scaled - (a_scaled - a);
    const Vec<T> b_high = b_scaled - (b_scaled - b);
    const Vec<T> a_low = a - a_high;
    const Vec<T> b_low = b - b_high;
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
#endif
}

// a + b, and what is lost by its rounding (Knuth, The Art of Computer Programming, volume 2, section 4.2.2).
template <typename T>
[[gnu::always_inline]] inline Vec<T> sum_of(Vec<T> a, Vec<T> b, Vec<T> &low) {
    const Vec<T> sum = a + b;
    const Vec<T> of_b = sum - a;
    low = (a - (sum - of_b)) + (b - of_b);
    return sum;
}

// a - q b, where q is a / b but for some last bits.
template <typename T>
[[gnu::always_inline]] inline Vec<T> remainder_of(Vec<T> a, Vec<T> q, Vec<T> b) {
#if defined(__FMA__)
    return a - q * b;
#else
    const Vec<T> product = q * b;
    return (a - product) - product_error<T>(q, b, product);
#endif
}

// (a + a_low) / (b + b_low), where the low parts are far smaller, and as quotient() asks otherwise: the error is hardly
// more than that of the last rounding.
template <typename T>
[[gnu::always_inline]] inline Vec<T> quotient(Vec<T> a, Vec<T> a_low, Vec<T> b, Vec<T> b_low) {
    const Vec<T> inverse = reciprocal<T>(b);
    const Vec<T> q = a * inverse;
    return q + (remainder_of<T>(a, q, b) + (a_low - q * b_low)) * inverse;
}

// 2^n for an integer n whose power is a normal number.
template <typename T>
[[gnu::always_inline]] inline Vec<T> power_of_two(Vec<T> n) {
    // The low bits of the sum hold n; the bits of kRound itself leave at the left.
    return from_bits<T>((bits_of<T>(n + Format<T>::kRound) + Format<T>::kBias) << Format<T>::kMantissaBits);
}

// x 2^n for an integer n of magnitude below 2 kBias, rounded once: also where the result is below the smallest normal
// number, if x is not.
template <typename T>
[[gnu::always_inline]] inline Vec<T> scaled(Vec<T> x, Vec<T> n) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        return _mm512_scalef_ps(x, n);
    } else {
        return _mm512_scalef_pd(x, n);
    }
#else
    // In two halves, which are both normal numbers.
    const Vec<T> half = (n * static_cast<T>(0.5) + Format<T>::kRound) - Format<T>::kRound;
    return x * power_of_two<T>(half) * power_of_two<T>(n - half);
#endif
}

// c[0] + c[1] x + ... by Horner's rule.
template <typename T, int Count>
[[gnu::always_inline]] inline Vec<T> polynomial(const T (&c)[Count], Vec<T> x) {
    Vec<T> value = splat(c[Count - 1]);
    for (int i = Count - 2; i >= 0; --i) {
        value = value * x + c[i];
    }
    return value;
}

} // namespace ndk
#endif // NDK_MATH_BASIC_HPP
