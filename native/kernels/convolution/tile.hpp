// SPDX-License-Identifier: Apache-2.0
//
// The innermost part of a convolution: filters times places, in registers. The weights are broadcast, the places are
// the lanes.
#ifndef NDK_CONVOLUTION_TILE_HPP
#define NDK_CONVOLUTION_TILE_HPP

#include <utility>

#include "partial.hpp"
#include "vec.hpp"

namespace ndk::convolution {

// Shapes of tiles by their number of vectors: as many filters as leave registers for a row of the panel and a weight.
inline constexpr int kMostVectors = kVectorRegisters == 32 ? 4 : 2;
constexpr int tile_filters(int vectors) {
    return kVectorRegisters == 32 ? (vectors <= 2 ? 12 : (vectors == 3 ? 8 : 6)) : 6;
}
inline constexpr int kMostFilters = tile_filters(1);

// c (filters x places) = start or c, + a (filters x depth) b (depth x places). Strides are in elements; the elements of
// a row of a, b and c are consecutive. `last` is how many lanes of the last vector exist in c.
//
// Lines of memory that will be needed: `step` apart, and from `end` on `turn` elements further.
template <typename T>
struct Ahead {
    const T *from;
    std::int64_t step, end, turn;
};

template <typename T>
struct Tile {
    std::int64_t depth;
    const T *a;
    std::int64_t a_row;
    const T *b;
    std::int64_t b_row;
    T *c;
    std::int64_t c_row;
    const T *start; // one element per filter; null: add to what c has
    std::int64_t last;
    Ahead<T> ahead; // TileMode::kFetch
};

// What a tile does beside its multiplications, in time that they leave.
enum class TileMode {
    kPlain,
    kFetch, // fetches `ahead` into the cache, one line with each row of b
};

template <typename T, int Filters, int Vectors>
[[gnu::always_inline]] inline void write_sums(const Vec<T> (&sums)[Filters][Vectors], T *c, std::int64_t c_row,
                                              std::int64_t last, const T *start) {
#pragma GCC unroll 12
    for (int filter = 0; filter < Filters; ++filter) {
        const Vec<T> first = start == nullptr ? Vec<T>{} : splat(start[filter]);
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            T *to = c + filter * c_row + v * kLanes<T>;
            if (v + 1 < Vectors || last == kLanes<T>) {
                store(to, sums[filter][v] + (start == nullptr ? load(to) : first));
            } else {
                store_first(to, sums[filter][v] + (start == nullptr ? load_first(to, last) : first), last);
            }
        }
    }
}

template <typename T, int Filters, int Vectors, TileMode Mode>
void multiply(const Tile<T> &tile) {
    constexpr int kBases = (Filters + 2) / 3; // an address reaches three rows: base, base + row and base + 2 row
    const T *a[kBases];
#pragma GCC unroll 4
    for (int base = 0; base < kBases; ++base) {
        a[base] = tile.a + 3 * base * tile.a_row;
    }
    const std::int64_t a_row = tile.a_row;
    const std::int64_t b_row = tile.b_row;
    const T *b = tile.b;
    [[maybe_unused]] std::int64_t ahead = 0;
    Vec<T> sums[Filters][Vectors];
#pragma GCC unroll 12
    for (int filter = 0; filter < Filters; ++filter) {
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            sums[filter][v] = Vec<T>{};
        }
    }
    // What is written lies on as many pages as there are filters.
#pragma GCC unroll 12
    for (int filter = 0; filter < Filters; ++filter) {
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            __builtin_prefetch(tile.c + filter * tile.c_row + v * kLanes<T>, 1);
        }
    }
    for (std::int64_t k = tile.depth; k > 0; --k) {
        Vec<T> right[Vectors];
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            right[v] = load(b + v * kLanes<T>);
        }
        if constexpr (Mode == TileMode::kFetch) {
            __builtin_prefetch(tile.ahead.from + ahead, 0, 2);
            ahead += tile.ahead.step;
            ahead += ahead >= tile.ahead.end ? tile.ahead.turn : 0;
        }
#pragma GCC unroll 12
        for (int filter = 0; filter < Filters; ++filter) {
            const Vec<T> left = splat(a[filter / 3][filter % 3 * a_row]);
#pragma GCC unroll 4
            for (int v = 0; v < Vectors; ++v) {
                sums[filter][v] += left * right[v];
            }
        }
#pragma GCC unroll 4
        for (int base = 0; base < kBases; ++base) {
            ++a[base];
        }
        b += b_row;
    }
    T *c = tile.c;
    const std::int64_t c_row = tile.c_row;
    const std::int64_t last = tile.last;
    const T *start = tile.start;
    if (last != kLanes<T>) {
        if (start == nullptr) {
            write_sums<T>(sums, c, c_row, last, nullptr);
        } else {
            write_sums<T>(sums, c, c_row, last, start);
        }
    } else if (start == nullptr) {
        write_sums<T>(sums, c, c_row, kLanes<T>, nullptr);
    } else {
        write_sums<T>(sums, c, c_row, kLanes<T>, start);
    }
}

template <typename T>
using Multiply = void (*)(const Tile<T> &);

// Functions by the number of filters, less one.
template <typename T>
struct Multiplies {
    Multiply<T> by_filters[kMostFilters];
};

template <typename T, int Vectors, TileMode Mode, int... Filter>
constexpr Multiplies<T> multiplies(std::integer_sequence<int, Filter...>) {
    return {{multiply<T, Filter + 1, Vectors, Mode>...}};
}

template <typename T, int Vectors, TileMode Mode = TileMode::kPlain>
inline constexpr Multiplies<T> kMultipliesOf =
    multiplies<T, Vectors, Mode>(std::make_integer_sequence<int, tile_filters(Vectors)>{});

// By the number of vectors, less one.
template <typename T>
inline constexpr Multiplies<T> kMultiplies[] = {
    kMultipliesOf<T, 1>,
    kMultipliesOf<T, 2>,
#if defined(__AVX512F__) || defined(__aarch64__)
    kMultipliesOf<T, 3>,
    kMultipliesOf<T, 4>,
#endif
};

// Tiles of whole height, by the number of vectors, less one.
template <typename T>
inline constexpr Multiply<T> kMultiplyAndFetch[] = {
    nullptr,
    multiply<T, tile_filters(2), 2, TileMode::kFetch>,
#if defined(__AVX512F__) || defined(__aarch64__)
    multiply<T, tile_filters(3), 3, TileMode::kFetch>,
    multiply<T, tile_filters(4), 4, TileMode::kFetch>,
#endif
};

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_TILE_HPP
