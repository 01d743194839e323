// SPDX-License-Identifier: Apache-2.0
//
// The 16-bit floats as storage: vectors of them become vectors of float when they are loaded, and are rounded to
// nearest, ties to even, when they are stored.
#ifndef NDK_GEMM_HALF_HPP
#define NDK_GEMM_HALF_HPP

#include <cstdint>

#include "vec.hpp"

#if defined(__AVX512F__) || defined(__F16C__)
#include <immintrin.h> // the forms with a mask of ones: the others make GCC 12 warn of its own header
#endif

namespace ndk {

struct BFloat16 {
    std::uint16_t bits;
};

struct Float16 {
    std::uint16_t bits;
};

namespace half {

typedef std::uint32_t Words __attribute__((vector_size(NDK_VECTOR_BYTES)));
typedef std::uint16_t Halves __attribute__((vector_size(NDK_VECTOR_BYTES / 2)));
typedef std::uint16_t UnalignedHalves __attribute__((vector_size(NDK_VECTOR_BYTES / 2), aligned(2), may_alias));

[[gnu::always_inline]] inline Words load_words(const void *from) {
    return __builtin_convertvector(Halves(*static_cast<const UnalignedHalves *>(from)), Words);
}

[[gnu::always_inline]] inline void store_words(void *to, Words words) {
    *static_cast<UnalignedHalves *>(to) = __builtin_convertvector(words, Halves);
}

} // namespace half

// kLanes<float> consecutive elements
[[gnu::always_inline]] inline Vec<float> load_floats(const BFloat16 *from) {
    return reinterpret_cast<Vec<float>>(half::Words(half::load_words(from) << 16));
}

[[gnu::always_inline]] inline void store_floats(BFloat16 *to, Vec<float> value) {
    const auto bits = reinterpret_cast<half::Words>(value);
    // The half of a unit, less one where the kept part is even. A NaN would become infinite or 0: it is made quiet.
    const half::Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const half::Words quiet = (bits >> 16) | 0x40;
    half::store_words(to, (bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

[[gnu::always_inline]] inline Vec<float> load_floats(const Float16 *from) {
#if defined(__AVX512F__)
    return reinterpret_cast<Vec<float>>(
        _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(from))));
#elif defined(__F16C__)
    return reinterpret_cast<Vec<float>>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from))));
#else
    // The exponents differ by 112; a product with 2^112 makes normal numbers of subnormal ones, too.
    const half::Words bits = half::load_words(from);
    const half::Words magnitude = (bits & 0x7fff) << 13;
    const auto scaled = reinterpret_cast<half::Words>(Vec<float>(reinterpret_cast<Vec<float>>(magnitude) * 0x1p112f));
    const half::Words special = (bits & 0x7c00) == 0x7c00 ? half::Words{} + 0x7f800000 : half::Words{};
    return reinterpret_cast<Vec<float>>(half::Words(scaled | special | ((bits & 0x8000) << 16)));
#endif
}

[[gnu::always_inline]] inline void store_floats(Float16 *to, Vec<float> value) {
#if defined(__AVX512F__)
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(to),
                        _mm512_maskz_cvtps_ph(0xffff, reinterpret_cast<__m512>(value), _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
    _mm_storeu_si128(reinterpret_cast<__m128i *>(to),
                     _mm256_cvtps_ph(reinterpret_cast<__m256>(value), _MM_FROUND_TO_NEAREST_INT));
#else
    const auto all = reinterpret_cast<half::Words>(value);
    const half::Words bits = all & 0x7fffffff;
    const half::Words normal = (bits - (112u << 23) + 0xfff + ((bits >> 13) & 1)) >> 13;
    // Adding 1/2 leaves the mantissa of a number below 2^-14 in units of 2^-24, rounded.
    const auto sum = reinterpret_cast<half::Words>(Vec<float>(reinterpret_cast<Vec<float>>(bits) + 0.5f));
    const half::Words subnormal = sum - 0x3f000000;
    const half::Words huge = bits > 0x7f800000 ? half::Words{} + 0x7e00 : half::Words{} + 0x7c00;
    const half::Words small = bits < 0x38800000 ? subnormal : normal;
    half::store_words(to, (bits >= 0x47800000 ? huge : small) | ((all >> 16) & 0x8000));
#endif
}

// One element; slow, for the ends of rows.
template <typename T>
inline float to_float(T from) {
    T lanes[kLanes<float>] = {};
    lanes[0] = from;
    return load_floats(lanes)[0];
}

template <typename T>
inline T from_float(float value) {
    T lanes[kLanes<float>];
    store_floats(lanes, splat(value));
    return lanes[0];
}

} // namespace ndk
#endif // NDK_GEMM_HALF_HPP
