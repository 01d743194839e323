// SPDX-License-Identifier: Apache-2.0
//
// erf, and GELU with it.
//
// |x| < 1: erf(x) = x + x p(x^2). Elsewhere erfc(x) = exp(-x^2) g(z) / (x + k) with z = (x - k) / (x + k), which maps
// [0, inf) to [-1, 1), where g(z) = (x + k) exp(x^2) erfc(x) is smooth (Shepherd and Laframboise, Chebyshev
// approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < inf, 1981). The polynomials have the least maximal error, by
// Remez's algorithm in 40 digits with the leading coefficients rounded first and the rest fitted again: p relative to
// erf on [0, 1], 2^-29.1 (float) and 2^-55.9 (double); g relative to erf on [1, 4] and [1, 6], 2^-29.0 and 2^-58.2; and
// for GELU g relative to itself, down to where erfc vanishes: 2^-26.0 and 2^-53.7.
#ifndef NDK_MATH_ERF_HPP
#define NDK_MATH_ERF_HPP

#include "math/exp.hpp"

namespace ndk {

template <typename T>
struct ErfConstants;

template <>
struct ErfConstants<float> {
    static constexpr float kErfIsOne = 4.0f;
    static constexpr float kVanishes = 14.5f; // erfc(x / sqrt(2)) times x is 0 from here on
    static constexpr float kP[] = {0x1.06eba8p-3f, -0x1.81273ep-2f, 0x1.ce2ce6p-4f, -0x1.b7f71ap-6f, 0x1.53f22ep-8f, -0x1.a351d2p-11f, 0x1.4773a8p-14f};
    static constexpr float kG[] = {0x1.058676p+0f, -0x1.5fd3cap-1f, 0x1.1e0d9ep-2f, -0x1.33c568p-5f, -0x1.a44e48p-6f};
    static constexpr float kGWide[] = {0x1.12f21ep+0f, -0x1.c44c4ap-1f, 0x1.2e3254p-1f, -0x1.3dea76p-2f, 0x1.e99eeep-4f, -0x1.b7d7p-6f, -0x1.49c98cp-10f, 0x1.9390acp-9f, -0x1.cb0efcp-12f, -0x1.3958dp-12f};
    static constexpr float kCentre = 2.0f;     // k of kG
    static constexpr float kCentreWide = 3.0f; // k of kGWide
};

template <>
struct ErfConstants<double> {
    static constexpr double kErfIsOne = 6.0;
    static constexpr double kVanishes = 38.8;
    static constexpr double kP[] = {0x1.06eba8214db68p-3, -0x1.812746b03799dp-2, 0x1.ce2f21a03f8b9p-4, -0x1.b82ce311a97d7p-6, 0x1.565bcceeda3e8p-8, -0x1.c02daeb705b95p-11, 0x1.f9a296b4c0817p-14, -0x1.f4c82f08eb89ep-17, 0x1.b96b57cbbe3a4p-20, -0x1.5b8c6fc1f8265p-23, 0x1.d3ddc7321ad0ep-27, -0x1.a23e7ddc122b3p-31};
    static constexpr double kG[] = {0x1.058671b52c778p+0, -0x1.5fd386754ef89p-1, 0x1.1e2deea6aeee7p-2, -0x1.2a88e6120f995p-5, -0x1.606e4155bbea8p-6, 0x1.a89eb55bcdf4fp-8, 0x1.9517fa5ee1ae8p-9, -0x1.b6fe8e6e41919p-11, -0x1.5bcbcc98f3c7ep-11, 0x1.1a5b0caf3774ep-15, 0x1.326092a65f0acp-13, 0x1.7d5d00dc8796fp-15};
    static constexpr double kGWide[] = {0x1.18932bf08e154p+0, -0x1.f3fe31ecb49bfp-1, 0x1.8be202d26c7a6p-1, -0x1.14eacb1ad038dp-1, 0x1.52cac2370c168p-2, -0x1.645fd8a4b9835p-3, 0x1.38dbd2ca1f7a9p-4, -0x1.b00c052caf4bdp-6, 0x1.908f465a766d1p-8, -0x1.269b53d6b0427p-12, -0x1.dd27faae3a237p-12, 0x1.72cddd5d9f4e9p-13, -0x1.e87071948cb29p-19, -0x1.3c78858b44df6p-16, 0x1.3ba22937a19fdp-18, 0x1.8028f0fb00e99p-20, -0x1.cc93349fbeb16p-21, -0x1.77992a8b58e2cp-24, 0x1.1b2eed34131c8p-23, 0x1.93db7ee5304f9p-27, -0x1.1a6f52b0d35bp-26, -0x1.10f95105b11bp-28};
    static constexpr double kCentre = 2.0;
    static constexpr double kCentreWide = 4.0;
};

template <typename T>
[[gnu::always_inline]] inline Vec<T> erf_of(Vec<T> x) {
    using C = ErfConstants<T>;
    const Vec<T> a = magnitude_of<T>(x);
    const Vec<T> bounded = lesser<T>(splat(C::kErfIsOne), a); // NaN passes
    const Vec<T> square = bounded * bounded;
    const Vec<T> inverse = reciprocal<T>(bounded + C::kCentre);
    const Vec<T> g = polynomial(C::kG, (bounded - C::kCentre) * inverse);
    const Vec<T> upper = T{1} - exp_of<T>(-square) * (inverse * g);
    const Vec<T> lower = x + x * polynomial(C::kP, square);
    return a < T{1} ? lower : with_sign_of<T>(upper, x);
}

// x Phi(x), Phi(-t) = erfc(t / sqrt(2)) / 2
// Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016
template <typename T>
[[gnu::always_inline]] inline Vec<T> gelu_of(Vec<T> x) {
    using C = ErfConstants<T>;
    constexpr T kHalf = static_cast<T>(0.5);
    const Vec<T> a = lesser<T>(splat(C::kVanishes), magnitude_of<T>(x));
    const Vec<T> t = a * static_cast<T>(0x1.6a09e667f3bcdp-1); // sqrt(1 / 2)
    const Vec<T> square = a * a;
    const Vec<T> low = product_error<T>(a, a, square);
    const ExpParts<T> parts = exp_parts<T>(square * -kHalf, low * -kHalf);
    const Vec<T> inverse = reciprocal<T>(t + C::kCentreWide);
    const Vec<T> g = polynomial(C::kGWide, (t - C::kCentreWide) * inverse);
    const Vec<T> tail = parts.power * (inverse * kHalf * g); // Phi(-t) = tail 2^n
    const auto negative = x < T{0};
    const Vec<T> part = scaled<T>(negative ? tail * x : tail, parts.n);
    const Vec<T> result = negative ? part : x - x * part;
    return x > C::kVanishes ? x : (x < -C::kVanishes ? x * T{0} : result); // -inf gives NaN, as in torch
}

} // namespace ndk
#endif // NDK_MATH_ERF_HPP
