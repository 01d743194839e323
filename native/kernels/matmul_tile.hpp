// SPDX-License-Identifier: Apache-2.0
//
// The innermost part of the matmul: a tile of the product that lives in registers.
#ifndef NDK_MATMUL_TILE_HPP
#define NDK_MATMUL_TILE_HPP

#include <utility>

#include "vec.hpp"

namespace ndk {

// A tile is kTileRows rows by two vectors. Besides the accumulators, two vectors of x2 and one broadcast element of x1
// need a register: 12 + 3 of 16, 24 + 3 of 32.
inline constexpr int kTileRows = kVectorRegisters == 32 ? 12 : 6;

template <typename T>
inline constexpr std::int64_t kTileColumns = 2 * kLanes<T>;

// c (rows x kTileColumns) = or += a (rows x depth) b (depth x kTileColumns). Strides are in elements; the columns of b
// and c are consecutive.
template <typename T>
struct TileJob {
    std::int64_t depth;
    const T *a;
    std::int64_t a_row;
    std::int64_t a_step;
    const T *b;
    std::int64_t b_step;
    T *c;
    std::int64_t c_row;
    bool accumulate;
};

template <typename T, int Rows, int Vectors>
[[gnu::always_inline]] inline void multiply_tile(const TileJob<T> &job, std::int64_t a_row, std::int64_t a_step,
                                                 std::int64_t b_step) {
    const T *a = job.a;
    const T *b = job.b;
    Vec<T> sums[Rows][Vectors];
#pragma GCC unroll 12
    for (int row = 0; row < Rows; ++row) {
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; ++v) {
            sums[row][v] = Vec<T>{};
        }
    }
    for (std::int64_t k = job.depth; k > 0; --k) {
        Vec<T> right[Vectors];
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; ++v) {
            right[v] = load(b + v * kLanes<T>);
        }
#pragma GCC unroll 12
        for (int row = 0; row < Rows; ++row) {
            const Vec<T> left = splat(a[row * a_row]);
#pragma GCC unroll 2
            for (int v = 0; v < Vectors; ++v) {
                sums[row][v] += left * right[v];
            }
        }
        a += a_step;
        b += b_step;
    }
#pragma GCC unroll 12
    for (int row = 0; row < Rows; ++row) {
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; ++v) {
            T *to = job.c + row * job.c_row + v * kLanes<T>;
            store(to, job.accumulate ? load(to) + sums[row][v] : sums[row][v]);
        }
    }
}

// How the operands of a tile lie; the first two have their strides as constants in the code.
enum class TileLayout {
    kPackedRows,    // a packed with its rows consecutive, kPackedRowStride apart; b packed
    kPackedColumns, // a packed with its columns consecutive, kTileRows apart; b packed
    kDirect,        // any strides
};

template <typename T, TileLayout Layout, int PackedRowStride, int Rows, int Vectors>
void tile(const TileJob<T> &job) {
    if constexpr (Layout == TileLayout::kPackedRows) {
        multiply_tile<T, Rows, Vectors>(job, PackedRowStride, 1, kTileColumns<T>);
    } else if constexpr (Layout == TileLayout::kPackedColumns) {
        multiply_tile<T, Rows, Vectors>(job, 1, kTileRows, kTileColumns<T>);
    } else {
        multiply_tile<T, Rows, Vectors>(job, job.a_row, job.a_step, job.b_step);
    }
}

template <typename T>
using TileFunction = void (*)(const TileJob<T> &);

// The functions for 1, 2, ... kTileRows rows: of tiles that are one vector wide, where c ends, and of whole ones.
template <typename T>
struct TileFunctions {
    TileFunction<T> narrow[kTileRows];
    TileFunction<T> wide[kTileRows];
};

template <typename T, TileLayout Layout, int PackedRowStride, int... Row>
constexpr TileFunctions<T> tile_functions(std::integer_sequence<int, Row...>) {
    return {{tile<T, Layout, PackedRowStride, Row + 1, 1>...}, {tile<T, Layout, PackedRowStride, Row + 1, 2>...}};
}

template <typename T, TileLayout Layout, int PackedRowStride>
inline constexpr TileFunctions<T> kTileFunctions =
    tile_functions<T, Layout, PackedRowStride>(std::make_integer_sequence<int, kTileRows>{});

} // namespace ndk
#endif // NDK_MATMUL_TILE_HPP
