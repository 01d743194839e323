// SPDX-License-Identifier: Apache-2.0
//
// x to the power of y: exp(y log |x|), where an error of the logarithm is one of the result times |y log x|, up to 745.
// For float, both are computed in double. For double, the logarithm is a sum of two numbers: with s = f / (2 + f) as in
// log.hpp, log(1 + f) = 2 s + 2/3 s^3 + s^5 q(s^2), where only the last term is rounded. q is of least maximal error
// relative to the logarithm, 2^-61.2, by Remez's algorithm in 40 digits.
#ifndef NDK_MATH_POWER_HPP
#define NDK_MATH_POWER_HPP

#include "math/exp.hpp"
#include "math/log.hpp"

namespace ndk {

// log(x) for a positive, finite x as high + low.
[[gnu::always_inline]] inline Vec<double> log_twice(Vec<double> x, Vec<double> &low) {
    using C = LogConstants<double>;
    constexpr double kQ[] = {0x1.999999999a7cdp-2, 0x1.2492492311f37p-2, 0x1.c71c73b56a0e6p-3, 0x1.745c76285b4fcp-3,
                             0x1.3b30f49f12d56p-3, 0x1.0e12f0ff61321p-3, 0x1.19cff7555a0f9p-3};
    constexpr double kTwoThirds = 0x1.5555555555555p-1;
    constexpr double kTwoThirdsLow = 0x1.5555555555555p-55;
    Vec<double> m;
    Vec<double> e;
    split_exponent<double>(x, m, e);
    const Vec<double> f = m - 1.0;
    const Vec<double> d = f + 2.0;
    const Vec<double> d_low = f - (d - 2.0);
    const Vec<double> inverse = reciprocal<double>(d);
    const Vec<double> s = f * inverse;
    const Vec<double> back = s * d;
    const Vec<double> s_low = (((f - back) - product_error<double>(s, d, back)) - s * d_low) * inverse;

    const Vec<double> z = s * s;
    const Vec<double> z_low = product_error<double>(s, s, z) + 2.0 * s * s_low;
    const Vec<double> cube = s * z;
    const Vec<double> cube_low = product_error<double>(s, z, cube) + s * z_low + s_low * z;
    const Vec<double> third = cube * kTwoThirds;
    const Vec<double> third_low =
        product_error<double>(cube, splat(kTwoThirds), third) + cube * kTwoThirdsLow + cube_low * kTwoThirds;

    // From the largest to the smallest, so that each error is what the larger did not take.
    const Vec<double> whole = e * C::kLn2High;
    const Vec<double> sum1 = whole + 2.0 * s;
    const Vec<double> low1 = 2.0 * s - (sum1 - whole);
    const Vec<double> sum2 = sum1 + third;
    const Vec<double> low2 = third - (sum2 - sum1);
    const Vec<double> rest = cube * z * polynomial(kQ, z) + e * C::kLn2Low + third_low + 2.0 * s_low + low2 + low1;
    const Vec<double> high = sum2 + rest;
    low = rest - (high - sum2);
    return high;
}

// x^y for a positive, finite x and a finite y.
[[gnu::always_inline]] inline Vec<double> power_of_positive(Vec<double> x, Vec<double> y) {
    Vec<double> log_low;
    const Vec<double> log_high = log_twice(x, log_low);
    y = greater<double>(splat(-0x1p70), lesser<double>(splat(0x1p70), y)); // beyond, only 1 has a finite power
    const Vec<double> high = y * log_high;
    const Vec<double> low = product_error<double>(y, log_high, high) + y * log_low;
    const auto bounded = magnitude_of<double>(high) < 1000.0;
    const ExpParts<double> parts = exp_parts<double>(high, bounded ? low : Vec<double>{});
    return scaled<double>(parts.power, parts.n);
}

[[gnu::always_inline]] inline Vec<float> power_of_positive(Vec<float> x, Vec<float> y) {
    typedef float Half __attribute__((vector_size(NDK_VECTOR_BYTES / 2)));
    Half xs[2];
    Half ys[2];
    __builtin_memcpy(xs, &x, sizeof(x));
    __builtin_memcpy(ys, &y, sizeof(y));
    for (int i = 0; i < 2; ++i) {
        const Vec<double> log_x = log_of<double>(__builtin_convertvector(xs[i], Vec<double>));
        xs[i] = __builtin_convertvector(exp_of<double>(log_x * __builtin_convertvector(ys[i], Vec<double>)), Half);
    }
    __builtin_memcpy(&x, xs, sizeof(x));
    return x;
}

// Whether a number that is not negative is an integer.
template <typename T>
[[gnu::always_inline]] inline Bits<T> is_integer(Vec<T> x) {
    constexpr T kInteger = static_cast<T>(Format<T>::kMantissaBits == 23 ? 0x1p23 : 0x1p52); // all from here on are
    return (x >= kInteger) | ((x + kInteger) - kInteger == x);
}

// With the special cases of C's pow, which are those of the Array API.
template <typename T>
[[gnu::always_inline]] inline Vec<T> power_of(Vec<T> x, Vec<T> y) {
    using F = Format<T>;
    const Vec<T> a = magnitude_of<T>(x);
    const Vec<T> b = magnitude_of<T>(y);
    Vec<T> result = power_of_positive(a, y);
    const Bits<T> extreme = (a == T{0}) | (a == F::kInfinity) | (b == F::kInfinity);
    const Bits<T> grows = (a > T{1}) == (y > T{0});
    result = extreme ? (grows ? splat(F::kInfinity) : Vec<T>{}) : result;
    result = a == T{1} ? splat(T{1}) : result;
    const Bits<T> whole = is_integer<T>(b);
    const Bits<T> odd = whole & ~is_integer<T>(b * static_cast<T>(0.5));
    result = from_bits<T>(bits_of<T>(result) ^ (odd & bits_of<T>(x) & F::kSign));
    result = (x < T{0}) & (x > -F::kInfinity) & ~whole ? splat(F::kNan) : result;
    result = ((x != x) | (y != y)) ? x + y : result;
    return ((x == T{1}) | (y == T{0})) ? splat(T{1}) : result;
}

} // namespace ndk
#endif // NDK_MATH_POWER_HPP
