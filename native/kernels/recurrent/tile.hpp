// SPDX-License-Identifier: Apache-2.0
//
// Products of a few rows with packed weights. A panel has the weights of kTileColumns units for one gate: depth x
// kTileColumns elements. Every element of a product is one sum over the depth in order, so it does not depend on how
// many rows are computed together, nor by which thread.
#ifndef NDK_RECURRENT_TILE_HPP
#define NDK_RECURRENT_TILE_HPP

#include <utility>

#include "gemm/types.hpp"
#include "host.hpp"
#include "vec.hpp"

namespace ndk::recurrent {

inline constexpr int kSlots = 4; // panels of one product at most

// c[i] (rows x kTileColumns) = base[i] + a (rows x depth) b[i] (depth x kTileColumns), for each panel i. Strides are in
// elements; a base whose rows are 0 apart is the same for all rows.
template <typename T>
struct Products {
    std::int64_t depth;
    const T *a;
    std::int64_t a_row;
    const T *b[kSlots];
    const T *base[kSlots];
    std::int64_t base_row[kSlots];
    T *c[kSlots];
    std::int64_t c_row;
};

template <typename T, int Rows, int Panels>
void multiply_tile(const Products<T> &job, int first) {
    constexpr int kVectors = 2 * Panels;
    const T *a = job.a;
    const T *b[Panels];
    Vec<T> sums[Rows][kVectors];
    for (int panel = 0; panel < Panels; ++panel) {
        b[panel] = job.b[first + panel];
    }
#pragma GCC unroll 12
    for (int row = 0; row < Rows; ++row) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
            sums[row][v] = Vec<T>{};
        }
    }
    // What is added to comes late, and from far where many rows were computed since it was written.
#pragma GCC unroll 12
    for (int row = 0; row < Rows; ++row) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
            __builtin_prefetch(job.c[first + v / 2] + row * job.c_row + v % 2 * kLanes<T>, 1);
        }
    }
    for (std::int64_t k = 0; k < job.depth; ++k) {
        if constexpr (Panels == 1) {
            const Vec<T> right[2] = {load(b[0] + k * kTileColumns<T>), load(b[0] + k * kTileColumns<T> + kLanes<T>)};
#pragma GCC unroll 12
            for (int row = 0; row < Rows; ++row) {
                const Vec<T> left = splat(a[row * job.a_row + k]);
                sums[row][0] += left * right[0];
                sums[row][1] += left * right[1];
            }
        } else {
            Vec<T> left[Rows];
#pragma GCC unroll 12
            for (int row = 0; row < Rows; ++row) {
                left[row] = splat(a[row * job.a_row + k]);
            }
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) {
                const Vec<T> right = load(b[v / 2] + k * kTileColumns<T> + v % 2 * kLanes<T>);
#pragma GCC unroll 12
                for (int row = 0; row < Rows; ++row) {
                    sums[row][v] += left[row] * right;
                }
            }
        }
    }
#pragma GCC unroll 12
    for (int row = 0; row < Rows; ++row) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
            const int panel = first + v / 2;
            const std::int64_t lane = v % 2 * kLanes<T>;
            store(job.c[panel] + row * job.c_row + lane,
                  load(job.base[panel] + row * job.base_row[panel] + lane) + sums[row][v]);
        }
    }
}

// How many of `panels` panels a tile of so many rows takes: few rows need more of them to keep the multipliers busy.
constexpr int panels_at_once(int rows, int panels) {
    for (int count = panels; count > 1; --count) {
        if (panels % count == 0 && rows * 2 * count <= 2 * kTileRows) {
            return count;
        }
    }
    return 1;
}

template <typename T>
using TileFunction = void (*)(const Products<T> &, int first);

template <typename T, int Panels>
struct TileFunctions {
    TileFunction<T> of[kTileRows];

    template <int... Row>
    static constexpr TileFunctions make(std::integer_sequence<int, Row...>) {
        return {{multiply_tile<T, Row + 1, panels_at_once(Row + 1, Panels)>...}};
    }
};

// All `Panels` products for `rows` rows.
template <typename T, int Panels>
void multiply_rows(Products<T> job, std::int64_t rows) {
    static constexpr TileFunctions<T, Panels> kFunctions =
        TileFunctions<T, Panels>::make(std::make_integer_sequence<int, kTileRows>{});
    const std::int64_t tiles = (rows + kTileRows - 1) / kTileRows;
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
        const auto height = static_cast<int>(rows / tiles + (tile < rows % tiles ? 1 : 0));
        const int step = panels_at_once(height, Panels);
        for (int first = 0; first < Panels; first += step) {
            kFunctions.of[height - 1](job, first);
        }
        job.a += height * job.a_row;
        for (int panel = 0; panel < Panels; ++panel) {
            job.base[panel] += height * job.base_row[panel];
            job.c[panel] += height * job.c_row;
        }
    }
}

} // namespace ndk::recurrent
#endif // NDK_RECURRENT_TILE_HPP
