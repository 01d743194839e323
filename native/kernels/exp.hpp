// SPDX-License-Identifier: Apache-2.0
//
// exp of a vector.
//
// Method: the reduction of Cody and Waite (Software Manual for the Elementary Functions, 1980, chapter 6). With n the
// integer nearest to x / ln 2 and r = x - n ln 2, |r| <= ln 2 / 2, exp(x) = 2^n exp(r). ln 2 is split into a high part
// with so few bits that n * high is exact, and the rest. exp(r) = 1 + r + r^2 q(r) with a polynomial q of least
// maximal relative error on the interval, found with Remez's exchange algorithm in 60 digits and rounded to the type;
// the error of the polynomial is 2^-28.3 (float) and 2^-57.9 (double). 2^n is multiplied in two halves, both normal
// numbers, so only the second product rounds: results below the smallest normal number are right too.
#ifndef NDK_EXP_HPP
#define NDK_EXP_HPP

#include "vec.hpp"

namespace ndk {

template <typename T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
    static constexpr float kLowest = -104.0f; // exp of it and of everything below rounds to 0
    static constexpr float kHighest = 89.0f;  // exp of it and of everything above is infinite
    static constexpr float kLn2High = 0x1.62e4p-1f;
    static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
    static constexpr float kRound = 0x1.8p23f; // adding it leaves the nearest integer in the low bits
    static constexpr float kQ[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f, 0x1.6a23eep-10f};
    static constexpr int kMantissaBits = 23;
    static constexpr int kBias = 127;
};

template <>
struct ExpConstants<double> {
    static constexpr double kLowest = -746.0;
    static constexpr double kHighest = 710.0;
    static constexpr double kLn2High = 0x1.62e42feep-1;
    static constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
    static constexpr double kRound = 0x1.8p52;
    static constexpr double kQ[] = {0x1.000000000000ap-1,  0x1.55555555554f9p-3,  0x1.555555555083ep-5,
                                    0x1.1111111127d0ep-7,  0x1.6c16c18438b11p-10, 0x1.a01a012a0f35cp-13,
                                    0x1.a01999e26209fp-16, 0x1.71df25b30d420p-19, 0x1.28ad9b8648615p-22,
                                    0x1.ad7f3ee5d2f80p-26};
    static constexpr int kMantissaBits = 52;
    static constexpr int kBias = 1023;
};

template <typename T>
[[gnu::always_inline]] inline Vec<T> exp_of(Vec<T> x) {
    using C = ExpConstants<T>;
    constexpr int kDegree = static_cast<int>(sizeof(C::kQ) / sizeof(T)) - 1;
    // Both comparisons are false for NaN, which passes.
    x = splat(C::kHighest) < x ? splat(C::kHighest) : x;
    x = splat(C::kLowest) > x ? splat(C::kLowest) : x;

    const Vec<T> shifted = x * static_cast<T>(0x1.71547652b82fep+0) + C::kRound; // log2(e)
    const Vec<T> n = shifted - C::kRound;
    const Vec<T> r = (x - n * C::kLn2High) - n * C::kLn2Low;

    Vec<T> q = splat(C::kQ[kDegree]);
    for (int i = kDegree - 1; i >= 0; --i) {
        q = q * r + C::kQ[i];
    }
    const Vec<T> exp_r = (q * r * r + r) + T{1};

    // The low bits of `shifted` hold n, those of `halved` about n / 2; the bits of kRound itself leave at the left.
    const Bits<T> whole = reinterpret_cast<Bits<T>>(shifted);
    const Bits<T> halved = reinterpret_cast<Bits<T>>(Vec<T>(n * static_cast<T>(0.5) + C::kRound));
    const Vec<T> scale1 = reinterpret_cast<Vec<T>>(Bits<T>((halved + C::kBias) << C::kMantissaBits));
    const Vec<T> scale2 = reinterpret_cast<Vec<T>>(Bits<T>((whole - halved + C::kBias) << C::kMantissaBits));
    return exp_r * scale1 * scale2;
}

[[gnu::always_inline]] inline Vec<float> vector_exp(Vec<float> x) { return exp_of<float>(x); }
[[gnu::always_inline]] inline Vec<double> vector_exp(Vec<double> x) { return exp_of<double>(x); }

} // namespace ndk
#endif // NDK_EXP_HPP
