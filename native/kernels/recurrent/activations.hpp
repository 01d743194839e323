// SPDX-License-Identifier: Apache-2.0
//
// sigmoid and tanh as quotients, so that a product of two of them costs one division. Both come from exp(y) = 2^n (1 +
// p) with the reduction and the polynomial of exp.hpp; y is clamped to where 2^n is a normal number: beyond, sigmoid is
// below 2^-125 (float) or within half an ulp of 1, and tanh is 1. NaN passes.
#ifndef NDK_RECURRENT_ACTIVATIONS_HPP
#define NDK_RECURRENT_ACTIVATIONS_HPP

#include "math/exp.hpp"
#include "vec.hpp"

namespace ndk::recurrent {

template <typename T>
struct Quotient {
    Vec<T> numerator;
    Vec<T> denominator;

    Vec<T> value() const { return numerator / denominator; }
};

// 2^n and p; |y| <= `most`
template <typename T>
[[gnu::always_inline]] inline void split_exp(Vec<T> y, T most, Vec<T> &power, Vec<T> &p) {
    using C = ExpConstants<T>;
    constexpr int kDegree = static_cast<int>(sizeof(C::kQ) / sizeof(T)) - 1;
    y = splat(most) < y ? splat(most) : y;
    y = splat(-most) > y ? splat(-most) : y;
    const Vec<T> shifted = y * static_cast<T>(0x1.71547652b82fep+0) + C::kRound; // log2(e)
    const Vec<T> n = shifted - C::kRound;
    const Vec<T> r = (y - n * C::kLn2High) - n * C::kLn2Low;
    Vec<T> q = splat(C::kQ[kDegree]);
    for (int i = kDegree - 1; i >= 0; --i) {
        q = q * r + C::kQ[i];
    }
    p = q * r * r + r;
    power = reinterpret_cast<Vec<T>>(Bits<T>((reinterpret_cast<Bits<T>>(shifted) + C::kBias) << C::kMantissaBits));
}

// 1 / (1 + exp(-x))
template <typename T>
[[gnu::always_inline]] inline Quotient<T> sigmoid_quotient(Vec<T> x) {
    Vec<T> power;
    Vec<T> p;
    split_exp<T>(-x, sizeof(T) == 4 ? T{87} : T{708}, power, p);
    return {splat(T{1}), (power * p + power) + T{1}};
}

// e / (e + 2) with e = exp(2 x) - 1, which is p itself where x is small, so that no digit is lost there
template <typename T>
[[gnu::always_inline]] inline Quotient<T> tanh_quotient(Vec<T> x) {
    Vec<T> power;
    Vec<T> p;
    split_exp<T>(x + x, sizeof(T) == 4 ? T{20} : T{44}, power, p);
    const Vec<T> e = power * p + (power - T{1});
    return {e, e + T{2}};
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> sigmoid(Vec<T> x) {
    return sigmoid_quotient<T>(x).value();
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> tanh(Vec<T> x) {
    return tanh_quotient<T>(x).value();
}

// The denominators are below exp(709 + 44), which may overflow in double: the quotient is then 0, and at most 2^-1000
// is lost.
template <typename T>
[[gnu::always_inline]] inline Vec<T> product(const Quotient<T> &x1, const Quotient<T> &x2) {
    return x1.numerator * x2.numerator / (x1.denominator * x2.denominator);
}

} // namespace ndk::recurrent
#endif // NDK_RECURRENT_ACTIVATIONS_HPP
