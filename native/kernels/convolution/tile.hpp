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
};

template <typename T, int Filters, int Vectors>
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
    Vec<T> sums[Filters][Vectors];
#pragma GCC unroll 12
    for (int filter = 0; filter < Filters; ++filter) {
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            sums[filter][v] = Vec<T>{};
        }
    }
    for (std::int64_t k = tile.depth; k > 0; --k) {
        Vec<T> right[Vectors];
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            right[v] = load(b + v * kLanes<T>);
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
    const bool whole = tile.last == kLanes<T>;
#pragma GCC unroll 12
    for (int filter = 0; filter < Filters; ++filter) {
        T *c = tile.c + filter * tile.c_row;
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            T *to = c + v * kLanes<T>;
            if (v + 1 < Vectors || whole) {
                store(to, sums[filter][v] + (tile.start == nullptr ? load(to) : splat(tile.start[filter])));
            } else {
                const Vec<T> old = tile.start == nullptr ? load_first(to, tile.last) : splat(tile.start[filter]);
                store_first(to, sums[filter][v] + old, tile.last);
            }
        }
    }
}

template <typename T>
using Multiply = void (*)(const Tile<T> &);

// Functions by the number of filters, less one.
template <typename T>
struct Multiplies {
    Multiply<T> by_filters[kMostFilters];
};

template <typename T, int Vectors, int... Filter>
constexpr Multiplies<T> multiplies(std::integer_sequence<int, Filter...>) {
    return {{multiply<T, Filter + 1, Vectors>...}};
}

// By the number of vectors, less one.
template <typename T>
inline constexpr Multiplies<T> kMultiplies[] = {
    multiplies<T, 1>(std::make_integer_sequence<int, tile_filters(1)>{}),
    multiplies<T, 2>(std::make_integer_sequence<int, tile_filters(2)>{}),
#if defined(__AVX512F__) || defined(__aarch64__)
    multiplies<T, 3>(std::make_integer_sequence<int, tile_filters(3)>{}),
    multiplies<T, 4>(std::make_integer_sequence<int, tile_filters(4)>{}),
#endif
};

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_TILE_HPP
