// SPDX-License-Identifier: Apache-2.0
//
// Vectors of float and double as wide as the classifier's registers, over the vector extensions of GCC and Clang.
// The width follows from the macros that -march predefines, so a kernel is written once and compiled per classifier.
#ifndef NDK_VEC_HPP
#define NDK_VEC_HPP

#include <cstddef>
#include <cstdint>

namespace ndk {

#if defined(__AVX512F__)
#define NDK_VECTOR_BYTES 64
#elif defined(__AVX__)
#define NDK_VECTOR_BYTES 32
#else
#define NDK_VECTOR_BYTES 16
#endif

// Number of architectural vector registers: what the register tile of the matmul is chosen by.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kVectorRegisters = 32;
#else
inline constexpr int kVectorRegisters = 16;
#endif

inline constexpr std::size_t kVectorBytes = NDK_VECTOR_BYTES;

template <typename T>
struct VecTypes;

// Unaligned may sit at any element's address and alias the elements it is loaded from.
template <>
struct VecTypes<float> {
    typedef float Vec __attribute__((vector_size(NDK_VECTOR_BYTES)));
    typedef float Unaligned __attribute__((vector_size(NDK_VECTOR_BYTES), aligned(4), may_alias));
    typedef std::int32_t Bits __attribute__((vector_size(NDK_VECTOR_BYTES)));
};

template <>
struct VecTypes<double> {
    typedef double Vec __attribute__((vector_size(NDK_VECTOR_BYTES)));
    typedef double Unaligned __attribute__((vector_size(NDK_VECTOR_BYTES), aligned(8), may_alias));
    typedef std::int64_t Bits __attribute__((vector_size(NDK_VECTOR_BYTES)));
};

template <typename T>
using Vec = typename VecTypes<T>::Vec;

template <typename T>
using Bits = typename VecTypes<T>::Bits;

template <typename T>
inline constexpr std::int64_t kLanes = static_cast<std::int64_t>(kVectorBytes / sizeof(T));

template <typename T>
[[gnu::always_inline]] inline Vec<T> load(const T *from) {
    return *reinterpret_cast<const typename VecTypes<T>::Unaligned *>(from);
}

template <typename T>
[[gnu::always_inline]] inline void store(T *to, Vec<T> value) {
    *reinterpret_cast<typename VecTypes<T>::Unaligned *>(to) = value;
}

// Subtracting +0 is the identity for every value, -0 and NaN included, so the compiler leaves only the broadcast.
template <typename T>
[[gnu::always_inline]] inline Vec<T> splat(T value) {
    return value - Vec<T>{};
}

// The first `count` < kLanes elements; the other lanes are 0.
template <typename T>
inline Vec<T> load_partial(const T *from, std::int64_t count) {
    alignas(kVectorBytes) T lanes[kLanes<T>] = {};
    for (std::int64_t i = 0; i < count; ++i) {
        lanes[i] = from[i];
    }
    return load(lanes);
}

template <typename T>
inline void store_partial(T *to, Vec<T> value, std::int64_t count) {
    alignas(kVectorBytes) T lanes[kLanes<T>];
    store(lanes, value);
    for (std::int64_t i = 0; i < count; ++i) {
        to[i] = lanes[i];
    }
}

} // namespace ndk
#endif // NDK_VEC_HPP
