// SPDX-License-Identifier: Apache-2.0
//
// Packing: copies of blocks of a matmul's operands in the order in which the tiles read them.
#ifndef NDK_MATMUL_PACK_HPP
#define NDK_MATMUL_PACK_HPP

#include <utility>

#include "matmul_tile.hpp"
#include "vec.hpp"

namespace ndk {

// A matrix by the address of its first element and its strides in elements.
template <typename T>
struct Matrix {
    T *data;
    std::int64_t row;
    std::int64_t column;

    T *at(std::int64_t i, std::int64_t j) const { return data + i * row + j * column; }
    Matrix transposed() const { return {data, column, row}; }
};

template <typename T>
[[gnu::always_inline]] inline void copy_run(const T *from, T *to, std::int64_t count) {
    std::int64_t i = 0;
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        store(to + i, load(from + i));
    }
    for (; i < count; ++i) {
        to[i] = from[i];
    }
}

// One step of the transposition of a square of vectors: exchanges the off-diagonal blocks of `Distance` rows and lanes.
template <int Distance, typename V, int... Lane>
[[gnu::always_inline]] inline void exchange(V &upper, V &lower, std::integer_sequence<int, Lane...>) {
    constexpr int kCount = static_cast<int>(sizeof...(Lane));
    const V first = __builtin_shufflevector(upper, lower, ((Lane & Distance) ? kCount + Lane - Distance : Lane)...);
    const V second = __builtin_shufflevector(upper, lower, ((Lane & Distance) ? kCount + Lane : Lane + Distance)...);
    upper = first;
    lower = second;
}

template <typename T, int Distance>
[[gnu::always_inline]] inline void transpose_steps(Vec<T> (&rows)[kLanes<T>]) {
    if constexpr (Distance > 0) {
#pragma GCC unroll 16
        for (int i = 0; i < static_cast<int>(kLanes<T>); ++i) {
            if ((i & Distance) == 0) {
                exchange<Distance>(rows[i], rows[i + Distance],
                                   std::make_integer_sequence<int, static_cast<int>(kLanes<T>)>{});
            }
        }
        transpose_steps<T, Distance / 2>(rows);
    }
}

// to[i * to_row + j] = from[j * from_row + i] for i, j < kLanes
template <typename T>
void transpose_square(const T *from, std::int64_t from_row, T *to, std::int64_t to_row) {
    Vec<T> rows[kLanes<T>];
#pragma GCC unroll 16
    for (int j = 0; j < static_cast<int>(kLanes<T>); ++j) {
        rows[j] = load(from + j * from_row);
    }
    transpose_steps<T, static_cast<int>(kLanes<T> / 2)>(rows);
#pragma GCC unroll 16
    for (int i = 0; i < static_cast<int>(kLanes<T>); ++i) {
        store(to + i * to_row, rows[i]);
    }
}

// Panel of x2: `depth` rows of kTileColumns consecutive elements. Columns that do not exist are 0.
template <typename T>
void pack_panel(const Matrix<const T> &b, std::int64_t depth, std::int64_t columns, T *to) {
    constexpr std::int64_t kWidth = kTileColumns<T>;
    if (columns == kWidth && b.column == 1) {
        for (std::int64_t k = 0; k < depth; ++k) {
            copy_run(b.at(k, 0), to + k * kWidth, kWidth);
        }
        return;
    }
    std::int64_t k = 0;
    if (columns == kWidth && b.row == 1) {
        for (; k + kLanes<T> <= depth; k += kLanes<T>) {
            for (std::int64_t j = 0; j < kWidth; j += kLanes<T>) {
                transpose_square(b.at(k, j), b.column, to + k * kWidth + j, kWidth);
            }
        }
    }
    for (; k < depth; ++k) {
        for (std::int64_t j = 0; j < kWidth; ++j) {
            to[k * kWidth + j] = j < columns ? *b.at(k, j) : T{0};
        }
    }
}

// Block of x2: its panels one after the other. Where rows are consecutive elements, four panels are filled together, so
// that more than one cache line of a row is read before the next row's.
template <typename T>
void pack_panels(const Matrix<const T> &b, std::int64_t depth, std::int64_t columns, T *to) {
    constexpr std::int64_t kWidth = kTileColumns<T>;
    std::int64_t j = 0;
    for (; b.column == 1 && j + 4 * kWidth <= columns; j += 4 * kWidth) {
        for (std::int64_t k = 0; k < depth; ++k) {
            for (std::int64_t panel = 0; panel < 4; ++panel) {
                copy_run(b.at(k, j + panel * kWidth), to + j * depth + (panel * depth + k) * kWidth, kWidth);
            }
        }
    }
    for (; j < columns; j += kWidth) {
        const std::int64_t width = columns - j < kWidth ? columns - j : kWidth;
        pack_panel(Matrix<const T>{b.at(0, j), b.row, b.column}, depth, width, to + j * depth);
    }
}

// Block of x1 for TileLayout::kPackedRows: rows `to_row` apart.
template <typename T>
void pack_rows(const Matrix<const T> &a, std::int64_t rows, std::int64_t depth, T *to, std::int64_t to_row) {
    for (std::int64_t i = 0; i < rows; ++i) {
        if (a.column == 1) {
            copy_run(a.at(i, 0), to + i * to_row, depth);
            continue;
        }
        for (std::int64_t k = 0; k < depth; ++k) {
            to[i * to_row + k] = *a.at(i, k);
        }
    }
}

// Block of x1 for TileLayout::kPackedColumns: for every kTileRows rows their columns, kTileRows apart.
template <typename T>
void pack_columns(const Matrix<const T> &a, std::int64_t rows, std::int64_t depth, T *to) {
    for (std::int64_t i = 0; i < rows; i += kTileRows) {
        const std::int64_t count = rows - i < kTileRows ? rows - i : kTileRows;
        T *panel = to + i * depth;
        for (std::int64_t k = 0; k < depth; ++k) {
            const T *column = a.at(i, k);
            for (std::int64_t row = 0; row < count; ++row) {
                panel[k * kTileRows + row] = column[row * a.row];
            }
        }
    }
}

} // namespace ndk
#endif // NDK_MATMUL_PACK_HPP
