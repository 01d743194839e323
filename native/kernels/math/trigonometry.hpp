// SPDX-License-Identifier: Apache-2.0
//
// sin and cos.
//
// x = n pi / 2 + r with |r| <= pi / 4: subtracting n times each of three parts of pi / 2 (Cody and Waite) where n is
// small enough for the products to be exact, or to be used exactly by fused instructions; by large_angle.hpp elsewhere.
// sin r = r + r^3 s(r^2), cos r = 1 - r^2 / 2 + r^4 c(r^2), with polynomials of least maximal relative error on the
// interval by Remez's algorithm in 40 digits: 2^-28.0 and 2^-33.1 (float), 2^-58.0 and 2^-64.2 (double).
#ifndef NDK_MATH_TRIGONOMETRY_HPP
#define NDK_MATH_TRIGONOMETRY_HPP

#include "math/basic.hpp"
#include "math/large_angle.hpp"

namespace ndk {

template <typename T>
struct TrigonometryConstants;

template <>
struct TrigonometryConstants<float> {
    static constexpr float kS[] = {-0x1.555546p-3f, 0x1.11077ap-7f, -0x1.9954a4p-13f};
    static constexpr float kC[] = {0x1.55554ap-5f, -0x1.6c0c1ap-10f, 0x1.99e0eep-16f};
    static constexpr float kPart[] = {0x1.921fb6p+0f, -0x1.777a5cp-25f, -0x1.ee59dap-50f}; // of pi / 2
    static constexpr float kLargest = 0x1p17f;                                             // that is reduced with these
};

template <>
struct TrigonometryConstants<double> {
    static constexpr double kS[] = {-0x1.5555555555549p-3, 0x1.111111110f892p-7,   -0x1.a01a019c121a8p-13,
                                    0x1.71de3576bc135p-19, -0x1.ae5e64a6c0b2dp-26, 0x1.5d925cf96f28dp-33};
    static constexpr double kC[] = {0x1.555555555554cp-5,   -0x1.6c16c16c15210p-10, 0x1.a01a019cbcd8dp-16,
                                    -0x1.27e4f81044faep-22, 0x1.1ee9ef521006dp-29,  -0x1.8fb0011244b1ep-37};
#if defined(__FMA__)
    static constexpr double kPart[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};
    static constexpr double kLargest = 0x1p30;
#else // 33 bits each, so that the products with n are exact
    static constexpr double kPart[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2e037073p-69};
    static constexpr double kLargest = 0x1p20;
#endif
};

// x = n pi / 2 + r, for |x| <= kLargest. Near a multiple of pi / 2, the first two subtractions leave little of x, so
// that what the second one loses counts.
[[gnu::always_inline]] inline Vec<double> reduce_angle(Vec<double> x, Vec<double> &n) {
    using C = TrigonometryConstants<double>;
    n = (x * 0x1.45f306dc9c883p-1 + Format<double>::kRound) - Format<double>::kRound; // 2 / pi
    const Vec<double> first = x - n * C::kPart[0];                                    // exact
    Vec<double> product = n * C::kPart[1];
    Vec<double> low;
#if defined(__FMA__)
    asm("" : "+x"(product)); // rounded: not fused with the sum
    const Vec<double> second = sum_of<double>(first, -product, low);
    low -= product_error<double>(n, splat(C::kPart[1]), product);
#else // `product` is exact
    const Vec<double> second = sum_of<double>(first, -product, low);
#endif
    return second + (low - n * C::kPart[2]);
}

[[gnu::always_inline]] inline Vec<float> reduce_angle(Vec<float> x, Vec<float> &n) {
#if defined(__FMA__)
    using C = TrigonometryConstants<float>;
    n = (x * 0x1.45f306p-1f + Format<float>::kRound) - Format<float>::kRound;
    return ((x - n * C::kPart[0]) - n * C::kPart[1]) - n * C::kPart[2];
#else
    // Without fused instructions, in double.
    constexpr int kHalf = kLanes<float> / 2;
    typedef float Half __attribute__((vector_size(NDK_VECTOR_BYTES / 2)));
    Half part[2];
    Half whole[2];
    __builtin_memcpy(part, &x, sizeof(x));
    for (int i = 0; i < 2; ++i) {
        Vec<double> wide_n;
        static_assert(kHalf == kLanes<double>);
        part[i] = __builtin_convertvector(reduce_angle(__builtin_convertvector(part[i], Vec<double>), wide_n), Half);
        whole[i] = __builtin_convertvector(wide_n, Half);
    }
    __builtin_memcpy(&n, whole, sizeof(n));
    __builtin_memcpy(&x, part, sizeof(x));
    return x;
#endif
}

// Lanes beyond kLargest, one after the other. NaN and infinity become NaN.
template <typename T>
[[gnu::noinline]] void reduce_large_lanes(const T *x, T *r, T *n) {
    for (std::int64_t i = 0; i < kLanes<T>; ++i) {
        if (__builtin_fabs(static_cast<double>(x[i])) <= static_cast<double>(TrigonometryConstants<T>::kLargest)) {
            continue;
        }
        if (!__builtin_isfinite(x[i])) {
            r[i] = Format<T>::kNan;
            n[i] = 0;
            continue;
        }
        const Angle angle = reduce_large_angle(static_cast<double>(x[i]));
        r[i] = static_cast<T>(angle.high + angle.low);
        n[i] = static_cast<T>(angle.quarter);
    }
}

// sin(x + turn pi / 2)
template <typename T>
[[gnu::always_inline]] inline Vec<T> sine(Vec<T> x, int turn) {
    using C = TrigonometryConstants<T>;
    Vec<T> n;
    Vec<T> r = reduce_angle(x, n);
    const Bits<T> reducible = magnitude_of<T>(x) <= C::kLargest;
    if (__builtin_expect(any_of<T>(~reducible), 0)) {
        alignas(kVectorBytes) T lanes[3][kLanes<T>];
        store(lanes[0], x);
        store(lanes[1], r);
        store(lanes[2], n);
        reduce_large_lanes(lanes[0], lanes[1], lanes[2]);
        r = load(lanes[1]);
        n = load(lanes[2]);
    }
    const Bits<T> quarter = bits_of<T>(n + Format<T>::kRound) + turn;
    const Vec<T> z = r * r;
    const Vec<T> of_sine = r + r * (z * polynomial(C::kS, z));
    const Vec<T> of_cosine = T{1} + (z * (z * polynomial(C::kC, z)) - z * static_cast<T>(0.5));
    const Vec<T> result = (quarter & 1) != 0 ? of_cosine : of_sine;
    return from_bits<T>(bits_of<T>(result) ^ ((quarter & 2) << (8 * static_cast<int>(sizeof(T)) - 2)));
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> sin_of(Vec<T> x) {
    return x == T{0} ? x : sine<T>(x, 0); // -0 stays
}

template <typename T>
[[gnu::always_inline]] inline Vec<T> cos_of(Vec<T> x) {
    return sine<T>(x, 1);
}

} // namespace ndk
#endif // NDK_MATH_TRIGONOMETRY_HPP
