// SPDX-License-Identifier: Apache-2.0
//
// The 16-bit floats as storage: vectors of them become vectors of float when they are loaded, and are rounded to
// nearest, ties to even, when they are stored.
#ifndef NDK_GEMM_HALF_HPP
#define NDK_GEMM_HALF_HPP

#include "math/half.hpp"

namespace ndk {

struct BFloat16 {
    std::uint16_t bits;
};

struct Float16 {
    std::uint16_t bits;
};

// kLanes<float> consecutive elements
[[gnu::always_inline]] inline Vec<float> load_floats(const BFloat16 *from) {
    return float_of_bfloat16(load_half_bits(&from->bits));
}

[[gnu::always_inline]] inline Vec<float> load_floats(const Float16 *from) {
    return float_of_float16(load_half_bits(&from->bits));
}

[[gnu::always_inline]] inline void store_floats(BFloat16 *to, Vec<float> value) {
    store_half_bits(&to->bits, bfloat16_of_float(value));
}

[[gnu::always_inline]] inline void store_floats(Float16 *to, Vec<float> value) {
    store_half_bits(&to->bits, float16_of_float(value));
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
