// SPDX-License-Identifier: Apache-2.0
//
// Strided elements of any width into consecutive memory and back, block by block.
#ifndef NDK_ELEMENTWISE_STRIDED_HPP
#define NDK_ELEMENTWISE_STRIDED_HPP

#include "math/half.hpp"
#include "views.hpp"

namespace ndk {

// `count` numbers in the format of `dtype`, which is NDK_FLOAT16 or NDK_BFLOAT16. The arrays end at whole vectors.
inline void widen(std::int32_t dtype, const std::uint16_t *from, float *to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; i += kLanes<float>) {
        const HalfBits half = load_half_bits(from + i);
        store(to + i, dtype == NDK_FLOAT16 ? float_of_float16(half) : float_of_bfloat16(half));
    }
}

inline void narrow(std::int32_t dtype, const float *from, std::uint16_t *to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; i += kLanes<float>) {
        const Vec<float> x = load(from + i);
        store_half_bits(to + i, dtype == NDK_FLOAT16 ? float16_of_float(x) : bfloat16_of_float(x));
    }
}

inline constexpr std::int64_t kBlock = 512; // elements; a few of these blocks stay in the L1 cache

// Memory for a block of any dtype.
struct Block {
    alignas(64) std::byte bytes[kBlock * 8];
    void *get() { return bytes; }
};

template <typename Word>
inline void gather_words(const char *from, std::int64_t stride, void *to, std::int64_t count) {
    auto *words = static_cast<Word *>(to);
    // The compilers make shuffles of a distance they know. For others, the gathering instructions were slower.
    if (stride == 2 * static_cast<std::int64_t>(sizeof(Word))) {
        const auto *every_second = reinterpret_cast<const Word *>(from);
        for (std::int64_t i = 0; i < count; ++i) {
            words[i] = every_second[2 * i];
        }
        return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
        words[i] = *reinterpret_cast<const Word *>(from + i * stride);
    }
}

template <typename Word>
inline void scatter_words(const void *from, char *to, std::int64_t stride, std::int64_t count) {
    const auto *words = static_cast<const Word *>(from);
    for (std::int64_t i = 0; i < count; ++i) {
        *reinterpret_cast<Word *>(to + i * stride) = words[i];
    }
}

inline void gather_items(std::int64_t item, const char *from, std::int64_t stride, void *to, std::int64_t count) {
    switch (item) {
    case 1:
        return gather_words<std::uint8_t>(from, stride, to, count);
    case 2:
        return gather_words<std::uint16_t>(from, stride, to, count);
    case 4:
        return gather_words<std::uint32_t>(from, stride, to, count);
    default:
        return gather_words<std::uint64_t>(from, stride, to, count);
    }
}

inline void scatter_items(std::int64_t item, const void *from, char *to, std::int64_t stride, std::int64_t count) {
    switch (item) {
    case 1:
        return scatter_words<std::uint8_t>(from, to, stride, count);
    case 2:
        return scatter_words<std::uint16_t>(from, to, stride, count);
    case 4:
        return scatter_words<std::uint32_t>(from, to, stride, count);
    default:
        return scatter_words<std::uint64_t>(from, to, stride, count);
    }
}

// One view of the innermost loop.
struct Strided {
    char *data;
    std::int64_t stride;
    std::int64_t item;

    bool consecutive() const { return stride == item; }

    // The elements from `begin` on: where they lie, or in `block`.
    const void *take(std::int64_t begin, std::int64_t count, Block &block) const {
        char *from = data + begin * stride;
        if (consecutive()) {
            return from;
        }
        gather_items(item, from, stride, block.get(), count);
        return block.get();
    }

    // Where to compute the elements from `begin` on, and what brings them to their place.
    void *target(std::int64_t begin, Block &block) const { return consecutive() ? data + begin * stride : block.get(); }
    void give(std::int64_t begin, std::int64_t count, const Block &block) const {
        if (!consecutive()) {
            scatter_items(item, block.bytes, data + begin * stride, stride, count);
        }
    }
};

} // namespace ndk
#endif // NDK_ELEMENTWISE_STRIDED_HPP
