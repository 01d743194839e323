// SPDX-License-Identifier: Apache-2.0
//
// log of a vector, and log1p on [0, 1].
//
// x = 2^e m with m in [0.75, 1.5), f = m - 1: log(x) = e ln 2 + log(1 + f). In float, log(1 + f) = f - f^2 / 2 +
// f^3 p(f). In double, with s = f / (2 + f), log(1 + f) = 2 atanh(s) = 2 s + s^3 q(s^2) = f - (f^2 / 2 - s (f^2 / 2 +
// s^2 q(s^2))), where only small terms are rounded (Muller, Elementary Functions, 3rd ed., section 11.3). p and q have
// the least maximal error relative to the logarithm, by Remez's algorithm in 40 digits with the coefficients rounded
// one after the other and the rest fitted again: 2^-26.7 and 2^-55.9.
#ifndef NDK_MATH_LOG_HPP
#define NDK_MATH_LOG_HPP

#include "math/basic.hpp"

namespace ndk {

template <typename T>
struct LogConstants;

template <>
struct LogConstants<float> {
    static constexpr float kLn2High = 0x1.62e4p-1f;
    static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
    static constexpr float kSmallestNormal = 0x1p-126f;
    static constexpr float kP[] = {0x1.5555a4p-2f, -0x1.fffda2p-3f, 0x1.99644ep-3f, -0x1.555a8ep-3f,
                                   0x1.299d9ap-3f, -0x1.0a6762p-3f, 0x1.92d8fcp-4f, -0x1.45414p-5f};
};

template <>
struct LogConstants<double> {
    static constexpr double kLn2High = 0x1.62e42fefa3800p-1;
    static constexpr double kLn2Low = 0x1.ef35793c76730p-45;
    static constexpr double kSmallestNormal = 0x1p-1022;
    static constexpr double kP[] = {0x1.5555555555776p-1, 0x1.99999998f0b83p-2, 0x1.249249b228834p-2,
                                    0x1.c71c0160f9c7bp-3, 0x1.7474e33196a68p-3, 0x1.3852cf21bc3f0p-3,
                                    0x1.3abe5ba3cb282p-3};
};

// x = m 2^e with m in [0.75, 1.5). 0, infinities, NaN and negative numbers give what log_fixed() repairs.
template <typename T>
[[gnu::always_inline]] inline void split_exponent(Vec<T> x, Vec<T> &m, Vec<T> &e) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        m = _mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan);
        e = _mm512_getexp_ps(x) - _mm512_getexp_ps(m);
    } else {
        m = _mm512_getmant_pd(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan);
        e = _mm512_getexp_pd(x) - _mm512_getexp_pd(m);
    }
#else
    using F = Format<T>;
    constexpr T kInteger = static_cast<T>(F::kMantissaBits == 23 ? 0x1p23 : 0x1p52); // an integer in its low bits
    const auto tiny = x < LogConstants<T>::kSmallestNormal;
    const Bits<T> bits = bits_of<T>(tiny ? x * kInteger : x);
    // The exponent field of x 4/3, in a way that needs neither an arithmetic shift nor a conversion of 64 bits.
    const Bits<T> third = bits_of<T>(splat(T{1})) - bits_of<T>(splat(static_cast<T>(0.75)));
    const Bits<T> field = shifted_right<T>(bits + third, F::kMantissaBits) & (2 * F::kBias + 1);
    m = from_bits<T>(bits - ((field - F::kBias) << F::kMantissaBits));
    e = from_bits<T>(field | bits_of<T>(splat(kInteger))) - (kInteger + static_cast<T>(F::kBias));
    e = tiny ? e - static_cast<T>(F::kMantissaBits) : e;
#endif
}

// `result`, or what log(x) is where x is 0, infinite, NaN or negative.
template <typename T>
[[gnu::always_inline]] inline Vec<T> log_fixed(Vec<T> x, Vec<T> result) {
#if defined(__AVX512F__) // the mantissa of a negative number is NaN, and the exponents of 0 and infinity are infinite
    return x == T{0} ? splat(-Format<T>::kInfinity) : result;
#else
    result = x < Format<T>::kInfinity ? result : x;
    return x > T{0} ? result : (x == T{0} ? splat(-Format<T>::kInfinity) : splat(Format<T>::kNan) + x);
#endif
}

// log(1 + f) + e ln 2 for f in [-0.25, 0.5].
[[gnu::always_inline]] inline Vec<float> log1p_scaled(Vec<float> f, Vec<float> e) {
    using C = LogConstants<float>;
    const Vec<float> square = f * f;
    const Vec<float> tail = polynomial(C::kP, f) * (square * f) + e * C::kLn2Low;
    return e * C::kLn2High + (f + (tail - square * 0.5f));
}

[[gnu::always_inline]] inline Vec<double> log1p_scaled(Vec<double> f, Vec<double> e) {
    using C = LogConstants<double>;
    const Vec<double> s = quotient<double>(f, f + 2.0);
    const Vec<double> half_square = f * f * 0.5;
    const Vec<double> z = s * s;
    const Vec<double> tail = s * (half_square + z * polynomial(C::kP, z)) + e * C::kLn2Low;
    return e * C::kLn2High - ((half_square - tail) - f);
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> log_of(Vec<T> x) {
    Vec<T> m;
    Vec<T> e;
    split_exponent<T>(x, m, e);
    return log_fixed<T>(x, log1p_scaled(m - T{1}, e));
}

// log(1 + x) for 0 <= x <= 1, without loss near 0.
template <typename T>
[[gnu::always_inline]] inline Vec<T> log1p_unit(Vec<T> x) {
    const auto upper = x > static_cast<T>(0.5);
    return log1p_scaled(upper ? (x - T{1}) * static_cast<T>(0.5) : x, upper ? splat(T{1}) : splat(T{0}));
}

[[gnu::always_inline]] inline Vec<float> vector_log(Vec<float> x) { return log_of<float>(x); }
[[gnu::always_inline]] inline Vec<double> vector_log(Vec<double> x) { return log_of<double>(x); }

} // namespace ndk
#endif // NDK_MATH_LOG_HPP
