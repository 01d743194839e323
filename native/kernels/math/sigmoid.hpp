// SPDX-License-Identifier: Apache-2.0
//
// tanh, and what is made of 1 / (1 + exp(-x)): sigmoid, SiLU, and GELU with tanh. Each has exp of a number that is not
// positive, so nothing overflows, and where a result is below the smallest normal number it is rounded once.
#ifndef NDK_MATH_SIGMOID_HPP
#define NDK_MATH_SIGMOID_HPP

#include "math/exp.hpp"
#include "math/piecewise.hpp"

namespace ndk {

template <typename T>
struct SigmoidConstants;

// kScale = 2 sqrt(2 / pi) and kCubic = 0.044715, each as a rounded number and the rest.
template <>
struct SigmoidConstants<float> {
    static constexpr float kTanhIsOne = 10.0f;
    static constexpr float kSigmoidIsZero = -106.0f;
    static constexpr float kSigmoidIsOne = 30.0f;
    static constexpr float kVanishes = -120.0f;    // x exp(x) is 0 from here on, and below
    static constexpr float kGeluVanishes = -12.0f; // as its exponent is then below kVanishes
    static constexpr float kScale = 0x1.988454p+0f;
    static constexpr float kScaleLow = -0x1.857936p-25f;
    static constexpr float kCubic = 0x1.6e4e26p-5f;
    static constexpr float kCubicLow = 0x1.a9003ep-30f;
};

template <>
struct SigmoidConstants<double> {
    static constexpr double kTanhIsOne = 20.0;
    static constexpr double kSigmoidIsZero = -750.0;
    static constexpr double kSigmoidIsOne = 60.0;
    static constexpr double kVanishes = -760.0;
    static constexpr double kGeluVanishes = -22.0;
    static constexpr double kScale = 0x1.9884533d43651p+0;
    static constexpr double kScaleLow = -0x1.cbc0d30ebfd15p-54;
    static constexpr double kCubic = 0x1.6e4e26d4801f7p-5;
    static constexpr double kCubicLow = 0x1.441355475a31ap-59;
};

// tanh(x) = e / (e + 2) with e = exp(2 |x|) - 1
template <typename T>
[[gnu::always_inline]] inline Vec<T> tanh_of(Vec<T> x) {
    const Vec<T> bounded = lesser<T>(splat(SigmoidConstants<T>::kTanhIsOne), magnitude_of<T>(x)); // NaN passes
    const Vec<T> e = expm1_bounded<T>(bounded + bounded);
    return with_sign_of<T>(quotient<T>(e, e + T{2}), x);
}

#if defined(__AVX512F__)
template <>
[[gnu::always_inline]] inline Vec<float> tanh_of<float>(Vec<float> x) {
    const Vec<float> a = lesser<float>(splat(9.05f), magnitude_of<float>(x)); // NaN passes
    Vec<float> low;
    return with_sign_of<float>(lesser<float>(splat(1.0f), a * piecewise(kTanhPieces, a, low)), x);
}
#endif

// With exp(x) = p 2^n, 1 / (1 + exp(-x)) = p 2^n / (1 + p 2^n) = 2^n / (2^n + 1 / p), where 1 / p = exp(-r).
template <typename T>
[[gnu::always_inline]] inline Vec<T> sigmoid_of(Vec<T> x) {
    using C = SigmoidConstants<T>;
    Vec<T> n;
    const Vec<T> bounded = greater<T>(splat(C::kSigmoidIsZero), lesser<T>(splat(C::kSigmoidIsOne), x)); // NaN passes
    const Vec<T> r = reduce_by_ln2<T>(bounded, n);
    const Vec<T> minus1 = polynomial(ExpConstants<T>::kQ, -r) * r * r - r;
    const Vec<T> power = minus1 + T{1};
    const Vec<T> low = minus1 - (power - T{1});
    return scaled<T>(reciprocal<T>(scaled<T>(splat(T{1}), n) + power, low), n);
}

// x sigmoid(s), where `parts` are those of exp(-|s|), and s has the sign of x. 0 below `vanishes`; x above -vanishes,
// and where it is 0.
template <typename T>
[[gnu::always_inline]] inline Vec<T> times_sigmoid(Vec<T> x, const ExpParts<T> &parts, T vanishes) {
    const auto negative = x < T{0};
    const Vec<T> e = scaled<T>(parts.power, parts.n);
    const Vec<T> sum = e + T{1};
    const Vec<T> product = x * parts.power;
    const Vec<T> product_low = product_error<T>(x, parts.power, product) + x * parts.low;
    const Vec<T> ratio = quotient<T>(negative ? product : x, negative ? product_low : Vec<T>{}, sum, e - (sum - T{1}));
    const Vec<T> result = negative ? scaled<T>(ratio, parts.n) : ratio;
    return ((x > -vanishes) | (x == T{0})) ? x : (x < vanishes ? x * T{0} : result); // -inf gives NaN, as in torch
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> silu_of(Vec<T> x) {
    return times_sigmoid<T>(x, exp_parts<T>(-magnitude_of<T>(x)), SigmoidConstants<T>::kVanishes);
}

// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) = x sigmoid(s), s = kScale x (1 + kCubic x^2)
// Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016
// An error of s is one of the result times |s|, so s is computed with the errors of its roundings.
template <typename T>
[[gnu::always_inline]] inline Vec<T> gelu_tanh_of(Vec<T> x) {
    using C = SigmoidConstants<T>;
    const Vec<T> a = lesser<T>(splat(-C::kGeluVanishes), magnitude_of<T>(x));
    const Vec<T> square = a * a;
    const Vec<T> square_low = product_error<T>(a, a, square);
    const Vec<T> cubic = square * C::kCubic;
    const Vec<T> cubic_low =
        product_error<T>(square, splat(C::kCubic), cubic) + square_low * C::kCubic + square * C::kCubicLow;
    Vec<T> factor_low;
    const Vec<T> factor = sum_of<T>(cubic, splat(T{1}), factor_low);
    factor_low += cubic_low;
    const Vec<T> linear = a * C::kScale;
    const Vec<T> linear_low = product_error<T>(a, splat(C::kScale), linear) + a * C::kScaleLow;
    const Vec<T> s = linear * factor;
    const Vec<T> s_low = product_error<T>(linear, factor, s) + linear * factor_low + linear_low * factor;
    return times_sigmoid<T>(x, exp_parts<T>(-s, -s_low), C::kGeluVanishes);
}

} // namespace ndk
#endif // NDK_MATH_SIGMOID_HPP
