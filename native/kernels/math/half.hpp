// SPDX-License-Identifier: Apache-2.0
//
// Between float and the two 16-bit formats, to nearest, ties to even: with the instructions where the classifier has
// them, else in integers. There are none for bfloat16 in the levels of the psABI.
#ifndef NDK_MATH_HALF_HPP
#define NDK_MATH_HALF_HPP

#include "math/basic.hpp"

namespace ndk {

typedef std::uint16_t HalfBits __attribute__((vector_size(NDK_VECTOR_BYTES / 2)));
typedef std::uint32_t WordBits __attribute__((vector_size(NDK_VECTOR_BYTES)));

[[gnu::always_inline]] inline HalfBits load_half_bits(const std::uint16_t *from) {
    HalfBits bits;
    __builtin_memcpy(&bits, from, sizeof(bits));
    return bits;
}

[[gnu::always_inline]] inline void store_half_bits(std::uint16_t *to, HalfBits bits) {
    __builtin_memcpy(to, &bits, sizeof(bits));
}

// binary16. The exponent is scaled by a multiplication, which is exact and makes denormal numbers normal ones.
[[gnu::always_inline]] inline Vec<float> float_of_float16(HalfBits half) {
#if defined(__AVX512F__)
    return _mm512_cvtph_ps(reinterpret_cast<__m256i>(half));
#elif defined(__F16C__)
    return _mm256_cvtph_ps(reinterpret_cast<__m128i>(half));
#else
    const WordBits bits = __builtin_convertvector(half, WordBits);
    const WordBits rest = (bits & 0x7fff) << 13;
    const WordBits special = reinterpret_cast<WordBits>(rest >= 0x0f800000); // infinity and NaN
    const WordBits sign = (bits & 0x8000) << 16;
    const Vec<float> scaled = reinterpret_cast<Vec<float>>(rest) * 0x1p112f;
    return reinterpret_cast<Vec<float>>(reinterpret_cast<WordBits>(scaled) | sign | (special & 0x7f800000));
#endif
}

[[gnu::always_inline]] inline HalfBits float16_of_float(Vec<float> x) {
#if defined(__AVX512F__)
    return reinterpret_cast<HalfBits>(_mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__F16C__)
    return reinterpret_cast<HalfBits>(_mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#else
    const WordBits bits = reinterpret_cast<WordBits>(x);
    const WordBits sign = bits >> 16 & 0x8000;
    const WordBits rest = bits & 0x7fffffff;
    // Below 2^-14 the sum with 1/2 has the denormal number in its low bits; it is rounded by the addition.
    const Vec<float> shifted = reinterpret_cast<Vec<float>>(rest) + 0.5f;
    const WordBits denormal = reinterpret_cast<WordBits>(shifted) - 0x3f000000;
    // 112 less in the exponent, and to nearest even at bit 13; a carry into the exponent is right.
    const WordBits normal = (rest - (112u << 23) + 0xfff + (rest >> 13 & 1)) >> 13;
    const WordBits large = reinterpret_cast<WordBits>(rest >= 0x47800000); // 2^16 and beyond
    const WordBits nan = reinterpret_cast<WordBits>(rest > 0x7f800000);
    const WordBits small = reinterpret_cast<WordBits>(rest < 0x38800000);
    WordBits result = (small & denormal) | (~small & normal);
    result = (large & (0x7c00 | (nan & (0x200 | (rest >> 13 & 0x3ff))))) | (~large & result);
    return __builtin_convertvector(result | sign, HalfBits);
#endif
}

[[gnu::always_inline]] inline Vec<float> float_of_bfloat16(HalfBits half) {
    return reinterpret_cast<Vec<float>>(__builtin_convertvector(half, WordBits) << 16);
}

[[gnu::always_inline]] inline HalfBits bfloat16_of_float(Vec<float> x) {
    const WordBits bits = reinterpret_cast<WordBits>(x);
    const WordBits rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    const WordBits nan = reinterpret_cast<WordBits>(x != x);
    return __builtin_convertvector((nan & (bits >> 16 | 0x40)) | (~nan & rounded), HalfBits);
}

} // namespace ndk
#endif // NDK_MATH_HALF_HPP
