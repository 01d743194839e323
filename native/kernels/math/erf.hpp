// SPDX-License-Identifier: Apache-2.0
//
// erf, and GELU with it.
//
// |x| < 1: erf(x) = x + x p(x^2). Elsewhere erfc(x) = exp(-x^2) g(z) / (x + k) with z = (x - k) / (x + k), which maps
// [0, inf) to [-1, 1), where g(z) = (x + k) exp(x^2) erfc(x) is smooth (Shepherd and Laframboise, Chebyshev
// approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < inf, 1981). The polynomials have the least maximal error, by
// Remez's algorithm in 40 digits with the leading coefficients rounded first and the rest fitted again: p relative to
// erf on [0, 1], 2^-29.1 (float) and 2^-55.9 (double); g relative to erf on [1, 4] and [1, 6], 2^-29.0 and 2^-58.2; and
// for GELU g relative to itself, down to where erfc vanishes: 2^-27.7 and 2^-53.7.
#ifndef NDK_MATH_ERF_HPP
#define NDK_MATH_ERF_HPP

#include "math/exp.hpp"
#include "math/piecewise.hpp"

namespace ndk {

template <typename T>
struct ErfConstants;

template <>
struct ErfConstants<float> {
    static constexpr float kErfIsOne = 4.0f;
    static constexpr float kRootOfHalf = 0x1.6a09e6p-1f; // sqrt(1 / 2), and the rest
    static constexpr float kRootOfHalfLow = 0x1.9fcef4p-27f;
    static constexpr float kVanishes = 14.5f; // erfc(x / sqrt(2)) times x is 0 from here on
    static constexpr float kP[] = {0x1.06eba8p-3f, -0x1.81273ep-2f,  0x1.ce2ce6p-4f, -0x1.b7f71ap-6f,
                                   0x1.53f22ep-8f, -0x1.a351d2p-11f, 0x1.4773a8p-14f};
    static constexpr float kG[] = {0x1.058676p+0f, -0x1.5fd3cap-1f, 0x1.1e0d9ep-2f, -0x1.33c568p-5f, -0x1.a44e48p-6f};
    static constexpr float kGFirst = 0x1.edf488p-1f;
    static constexpr float kGSlope[] = {-0x1.0404eap-1f,  0x1.35bf26p-4f,   0x1.8750dp-5f,   -0x1.0a1054p-7f,
                                        -0x1.35fb24p-7f,  -0x1.a72f8ap-11f, 0x1.d0d1dep-10f, 0x1.c5e29cp-11f,
                                        -0x1.246706p-14f, -0x1.dc60bcp-13f, -0x1.2d3c94p-14f};
    static constexpr float kCentre = 2.0f;     // k of kG
    static constexpr float kCentreWide = 1.5f; // k of kGFirst + z kGSlope
};

template <>
struct ErfConstants<double> {
    static constexpr double kErfIsOne = 6.0;
    static constexpr double kRootOfHalf = 0x1.6a09e667f3bcdp-1;
    static constexpr double kRootOfHalfLow = -0x1.bdd3413b26456p-55;
    static constexpr double kVanishes = 38.8;
    static constexpr double kP[] = {0x1.06eba8214db68p-3,   -0x1.812746b03799dp-2,  0x1.ce2f21a03f8b9p-4,
                                    -0x1.b82ce311a97d7p-6,  0x1.565bcceeda3e8p-8,   -0x1.c02daeb705b95p-11,
                                    0x1.f9a296b4c0817p-14,  -0x1.f4c82f08eb89ep-17, 0x1.b96b57cbbe3a4p-20,
                                    -0x1.5b8c6fc1f8265p-23, 0x1.d3ddc7321ad0ep-27,  -0x1.a23e7ddc122b3p-31};
    static constexpr double kG[] = {0x1.058671b52c778p+0,  -0x1.5fd386754ef89p-1,  0x1.1e2deea6aeee7p-2,
                                    -0x1.2a88e6120f995p-5, -0x1.606e4155bbea8p-6,  0x1.a89eb55bcdf4fp-8,
                                    0x1.9517fa5ee1ae8p-9,  -0x1.b6fe8e6e41919p-11, -0x1.5bcbcc98f3c7ep-11,
                                    0x1.1a5b0caf3774ep-15, 0x1.326092a65f0acp-13,  0x1.7d5d00dc8796fp-15};
    static constexpr double kGFirst = 0x1.0dd50785280a5p+0;
    static constexpr double kGSlope[] = {
        -0x1.9bfb53c4039d7p-1, 0x1.d0cedcb8c8ecep-2,   -0x1.5eb8eba1dfc36p-3,  0x1.d0acf69250dcfp-6,
        0x1.1305f56524c09p-7,  -0x1.3bcdce5cc92a8p-8,  -0x1.cc8b116dd71b6p-12, 0x1.706a02395b2adp-11,
        0x1.e91ecaf596da9p-15, -0x1.d84fc60092dfp-14,  -0x1.47af64edfca37p-16, 0x1.3255fa6fcaf37p-16,
        0x1.c52a5e1ad1694p-18, -0x1.3f576103e277dp-19, -0x1.077d5f025de91p-19, 0x1.98a13a2ed2a95p-24,
        0x1.ef5501a70995fp-22, -0x1.ccd75652cfaa5p-28, -0x1.c5ac58509b372p-24, 0x1.55f8da17ba808p-24,
        0x1.bbe6ebe5239d4p-25, -0x1.fab549d303b48p-25, -0x1.0cfe922f43d58p-25, 0x1.04dac33ebeb89p-26,
        0x1.2bf5fadfd40fbp-27};
    static constexpr double kCentre = 2.0;
    static constexpr double kCentreWide = 2.5;
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
    const Vec<T> t = a * C::kRootOfHalf;
    const Vec<T> t_low = product_error<T>(a, splat(C::kRootOfHalf), t) + a * C::kRootOfHalfLow;
    const Vec<T> square = a * a;
    const Vec<T> low = product_error<T>(a, a, square);
    const ExpParts<T> parts = exp_parts<T>(square * -kHalf, low * -kHalf);
    Vec<T> sum_low;
    Vec<T> distance_low;
    const Vec<T> sum = sum_of<T>(t, splat(C::kCentreWide), sum_low);
    const Vec<T> distance = sum_of<T>(t, splat(-C::kCentreWide), distance_low);
    sum_low += t_low;
    distance_low += t_low;
    const Vec<T> inverse = reciprocal<T>(sum);
    const Vec<T> z = distance * inverse;
    const Vec<T> z_low = (remainder_of<T>(distance, z, sum) + (distance_low - z * sum_low)) * inverse;
    // The leading term apart, for what its addition and the rounding of z leave.
    const Vec<T> slope = polynomial(C::kGSlope, z);
    const Vec<T> g = z * slope + C::kGFirst;
    const Vec<T> g_low = z * slope + (C::kGFirst - g) + z_low * slope;
    // Phi(-a) = exp(-a^2 / 2) g / sum. On the negative side, times x before the scaling.
    const auto negative = x < T{0};
    const Vec<T> factor = negative ? x * kHalf : splat(kHalf);
    const Vec<T> tail = parts.power * g;
    const Vec<T> tail_low = product_error<T>(parts.power, g, tail) + parts.low * g + parts.power * g_low;
    const Vec<T> product = tail * factor;
    const Vec<T> product_low = product_error<T>(tail, factor, product) + tail_low * factor;
    const Vec<T> part = scaled<T>(quotient<T>(product, product_low, sum, sum_low), parts.n);
    const Vec<T> result = negative ? part : x - x * part;
    return ((x > C::kVanishes) | (x == T{0})) ? x
                                              : (x < -C::kVanishes ? x * T{0} : result); // -inf gives NaN, as in torch
}

#if defined(__AVX512F__)
template <>
[[gnu::always_inline]] inline Vec<float> erf_of<float>(Vec<float> x) {
    const Vec<float> a = lesser<float>(splat(3.93f), magnitude_of<float>(x)); // NaN passes
    Vec<float> low;
    return with_sign_of<float>(lesser<float>(splat(1.0f), a * piecewise(kErfPieces, a, low)), x);
}

// max(x, 0) - |x| Phi(-|x|)
template <>
[[gnu::always_inline]] inline Vec<float> gelu_of<float>(Vec<float> x) {
    const Vec<float> a = lesser<float>(splat(ErfConstants<float>::kVanishes), magnitude_of<float>(x));
    const Vec<float> square = a * a;
    const Vec<float> low = product_error<float>(a, a, square);
    Vec<float> n;
    const Vec<float> r = reduce_by_ln2<float>(square * -0.5f, n) - low * 0.5f;
    const Vec<float> minus1 = polynomial(ExpConstants<float>::kQ, r) * r * r + r;
    Vec<float> factor_low;
    const Vec<float> factor = piecewise(kGeluPieces, a, factor_low);
    const Vec<float> rest = factor * minus1 + factor_low;
    const Vec<float> tail = factor + rest;
    const Vec<float> product = a * tail + a * (rest - (tail - factor));
    const Vec<float> result = greater<float>(Vec<float>{}, x) - scaled<float>(product, n);
    return x < -ErfConstants<float>::kVanishes ? x * 0.0f : result; // -inf gives NaN, as in torch
}
#endif

} // namespace ndk
#endif // NDK_MATH_ERF_HPP
