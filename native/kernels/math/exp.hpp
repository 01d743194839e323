// SPDX-License-Identifier: Apache-2.0
//
// exp of a vector, and expm1 on the range that other functions need.
//
// Method: the reduction of Cody and Waite (Software Manual for the Elementary Functions, 1980, chapter 6). With n the
// integer nearest to x / ln 2 and r = x - n ln 2, |r| <= ln 2 / 2, exp(x) = 2^n exp(r). ln 2 is split into a high part
// with so few bits that n * high is exact, and the rest. exp(r) = 1 + r + r^2 q(r) with a polynomial q of least
// maximal relative error on the interval, found with Remez's exchange algorithm in 60 digits and rounded to the type;
// the error of the polynomial is 2^-28.3 (float) and 2^-57.9 (double).
#ifndef NDK_MATH_EXP_HPP
#define NDK_MATH_EXP_HPP

#include "math/basic.hpp"

namespace ndk {

template <typename T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
    static constexpr float kLowest = -125.0f; // exp of it and of everything below is 0, even times 2^20
    static constexpr float kHighest = 89.0f;  // exp of it and of everything above is infinite
    static constexpr float kLn2High = 0x1.62e4p-1f;
    static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
    static constexpr float kRound = Format<float>::kRound;
    static constexpr int kMantissaBits = Format<float>::kMantissaBits;
    static constexpr int kBias = Format<float>::kBias;
    static constexpr float kQ[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f, 0x1.6a23eep-10f};
};

template <>
struct ExpConstants<double> {
    static constexpr double kLowest = -765.0;
    static constexpr double kHighest = 710.0;
    static constexpr double kLn2High = 0x1.62e42feep-1;
    static constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
    static constexpr double kRound = Format<double>::kRound;
    static constexpr int kMantissaBits = Format<double>::kMantissaBits;
    static constexpr int kBias = Format<double>::kBias;
    static constexpr double kQ[] = {0x1.000000000000ap-1,  0x1.55555555554f9p-3,  0x1.555555555083ep-5,
                                    0x1.1111111127d0ep-7,  0x1.6c16c18438b11p-10, 0x1.a01a012a0f35cp-13,
                                    0x1.a01999e26209fp-16, 0x1.71df25b30d420p-19, 0x1.28ad9b8648615p-22,
                                    0x1.ad7f3ee5d2f80p-26};
};

// exp(x) as (power + low) 2^n: a factor that would take it below the smallest normal number can come before the
// scaling.
template <typename T>
struct ExpParts {
    Vec<T> power;
    Vec<T> low; // what the last addition did not take; unused, it costs nothing
    Vec<T> n;
};

// n, and r - `low` without the rounding of x + low.
template <typename T>
[[gnu::always_inline]] inline Vec<T> reduce_by_ln2(Vec<T> x, Vec<T> &n) {
    using C = ExpConstants<T>;
    constexpr T kLog2E = static_cast<T>(0x1.71547652b82fep+0);
    n = (x * kLog2E + Format<T>::kRound) - Format<T>::kRound;
    return (x - n * C::kLn2High) - n * C::kLn2Low;
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> exp_clamped(Vec<T> x) {
    using C = ExpConstants<T>;
    return greater<T>(splat(C::kLowest), lesser<T>(splat(C::kHighest), x)); // NaN passes
}

template <typename T>
[[gnu::always_inline]] inline ExpParts<T> exp_parts_of_reduced(Vec<T> r, Vec<T> n) {
    const Vec<T> minus1 = polynomial(ExpConstants<T>::kQ, r) * r * r + r;
    const Vec<T> power = minus1 + T{1};
    return {power, minus1 - (power - T{1}), n};
}

template <typename T>
[[gnu::always_inline]] inline ExpParts<T> exp_parts(Vec<T> x) {
    Vec<T> n;
    const Vec<T> r = reduce_by_ln2<T>(exp_clamped<T>(x), n);
    return exp_parts_of_reduced<T>(r, n);
}

// Of exp(x + low), where `low` is far smaller than x's last bit or x is clamped.
template <typename T>
[[gnu::always_inline]] inline ExpParts<T> exp_parts(Vec<T> x, Vec<T> low) {
    Vec<T> n;
    const Vec<T> r = reduce_by_ln2<T>(exp_clamped<T>(x), n) + low;
    return exp_parts_of_reduced<T>(r, n);
}

// exp(x) for a clamped x.
template <typename T>
[[gnu::always_inline]] inline Vec<T> exp_bounded(Vec<T> x) {
    Vec<T> n;
    const Vec<T> r = reduce_by_ln2<T>(x, n);
#if defined(__FMA__)
    return scaled<T>((polynomial(ExpConstants<T>::kQ, r) * r + T{1}) * r + T{1}, n);
#else // r comes in unrounded; the form above rounds it twice more
    return scaled<T>((polynomial(ExpConstants<T>::kQ, r) * r * r + r) + T{1}, n);
#endif
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> exp_of(Vec<T> x) {
    return exp_bounded<T>(exp_clamped<T>(x));
}

// exp(x) where x is not positive, or NaN.
template <typename T>
[[gnu::always_inline]] inline Vec<T> exp_of_negative(Vec<T> x) {
    return exp_bounded<T>(greater<T>(splat(ExpConstants<T>::kLowest), x)); // NaN passes
}

// exp(x) - 1 for -60 <= x <= 60, without loss near 0.
template <typename T>
[[gnu::always_inline]] inline Vec<T> expm1_bounded(Vec<T> x) {
    Vec<T> n;
    const Vec<T> r = reduce_by_ln2<T>(x, n);
    const Vec<T> minus1 = polynomial(ExpConstants<T>::kQ, r) * r * r + r;
    const Vec<T> scale = power_of_two<T>(n);
    return minus1 * scale + (scale - T{1});
}

[[gnu::always_inline]] inline Vec<float> vector_exp(Vec<float> x) { return exp_of<float>(x); }
[[gnu::always_inline]] inline Vec<double> vector_exp(Vec<double> x) { return exp_of<double>(x); }

} // namespace ndk
#endif // NDK_MATH_EXP_HPP
