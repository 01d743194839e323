// SPDX-License-Identifier: Apache-2.0
//
// Loops over consecutive elements that apply a function of vectors.
#ifndef NDK_ELEMENTWISE_MAP_HPP
#define NDK_ELEMENTWISE_MAP_HPP

#include "math/basic.hpp"

namespace ndk {

// Consecutive elements in memory.
template <typename T>
struct Run {
    const T *data;
    Vec<T> at(std::int64_t i) const { return load(data + i); }
    Vec<T> first(std::int64_t count) const { return load_partial(data, count); }
};

// One element, broadcast.
template <typename T>
struct Splat {
    Vec<T> value;
    Vec<T> at(std::int64_t) const { return value; }
    Vec<T> first(std::int64_t) const { return value; }
};

// To an aligned address; past the caches where `Stream`: then the memory need not be read before it is written.
template <bool Stream, typename T>
[[gnu::always_inline]] inline void store_aligned(T *to, Vec<T> value) {
#if defined(__SSE2__)
    if constexpr (Stream && sizeof(T) == 4) {
        NDK_X86(stream_ps)(reinterpret_cast<float *>(to), value);
        return;
    } else if constexpr (Stream) {
        NDK_X86(stream_pd)(reinterpret_cast<double *>(to), value);
        return;
    }
#endif
    store(to, value);
}

// out[i] = op(source[i]...) for i in [0, count). The two ends, which are not on vector borders of `out`, are computed
// first and written last, so the vectors in between may overlap them even when `out` is one of the inputs.
template <bool Stream, typename T, typename Op, typename... Source>
void map_run(const Op &op, T *out, std::int64_t count, const Source &...source) {
    constexpr std::int64_t kStep = kLanes<T>;
    constexpr std::int64_t kUnroll = Op::kCost > 64 ? 1 : 4;
    if (count < kStep) {
        store_partial(out, op(source.first(count)...), count);
        return;
    }
    const Vec<T> head = op(source.at(0)...);
    const Vec<T> tail = op(source.at(count - kStep)...);
    const std::uintptr_t beyond = reinterpret_cast<std::uintptr_t>(out) % kVectorBytes;
    std::int64_t i = static_cast<std::int64_t>((kVectorBytes - beyond) % kVectorBytes / sizeof(T));
    for (; i + kUnroll * kStep <= count; i += kUnroll * kStep) {
        Vec<T> result[kUnroll];
        for (std::int64_t u = 0; u < kUnroll; ++u) {
            result[u] = op(source.at(i + u * kStep)...);
        }
        for (std::int64_t u = 0; u < kUnroll; ++u) {
            store_aligned<Stream>(out + i + u * kStep, result[u]);
        }
    }
    for (; i + kStep <= count; i += kStep) {
        store(out + i, op(source.at(i)...));
    }
    store(out, head);
    store(out + count - kStep, tail);
#if defined(__SSE2__)
    if constexpr (Stream) {
        _mm_sfence(); // before another thread hears that the work is done
    }
#endif
}

// The lanes of a comparison as bytes 0 and 1.
template <typename T>
[[gnu::always_inline]] inline void store_mask(std::uint8_t *to, Bits<T> mask) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
        const __mmask16 lanes = _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(to), _mm_maskz_set1_epi8(lanes, 1));
    } else {
        const __mmask16 lanes = _mm512_movepi64_mask(reinterpret_cast<__m512i>(mask));
        _mm_storel_epi64(reinterpret_cast<__m128i *>(to), _mm_maskz_set1_epi8(lanes, 1));
    }
#else
    typedef std::int8_t Bytes __attribute__((vector_size(NDK_VECTOR_BYTES / sizeof(T))));
    const Bytes bytes = __builtin_convertvector(mask, Bytes) & 1;
    __builtin_memcpy(to, &bytes, sizeof(bytes));
#endif
}

// The same for comparisons. `out` is no input.
template <typename T, typename Op, typename... Source>
void compare_run(const Op &op, std::uint8_t *out, std::int64_t count, const Source &...source) {
    constexpr std::int64_t kStep = kLanes<T>;
    if (count < kStep) {
        std::uint8_t bytes[kStep];
        store_mask<T>(bytes, op(source.first(count)...));
        for (std::int64_t i = 0; i < count; ++i) {
            out[i] = bytes[i];
        }
        return;
    }
    std::int64_t i = 0;
    for (; i + 4 * kStep <= count; i += 4 * kStep) {
        for (std::int64_t u = 0; u < 4; ++u) {
            store_mask<T>(out + i + u * kStep, op(source.at(i + u * kStep)...));
        }
    }
    for (; i + kStep <= count; i += kStep) {
        store_mask<T>(out + i, op(source.at(i)...));
    }
    store_mask<T>(out + count - kStep, op(source.at(count - kStep)...));
}

} // namespace ndk
#endif // NDK_ELEMENTWISE_MAP_HPP
