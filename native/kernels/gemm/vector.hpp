// SPDX-License-Identifier: Apache-2.0
//
// Products of one row with a matrix. They read every element of the matrix once, so packing it would only cost time.
#ifndef NDK_GEMM_VECTOR_HPP
#define NDK_GEMM_VECTOR_HPP

#include "gemm/epilogue.hpp"
#include "gemm/types.hpp"
#include "shuffle.hpp"

namespace ndk {

// c[j] += a[0] b[0][j] + ... + a[Rows - 1] b[Rows - 1][j], the rows of b being consecutive elements `b_row` apart.
template <int Rows, typename T>
void add_rows_of(const T *a, const T *b, std::int64_t b_row, T *c, std::int64_t count) {
    Vec<T> factor[Rows];
    for (int row = 0; row < Rows; ++row) {
        factor[row] = splat(a[row]);
    }
    std::int64_t j = 0;
    for (; j + kLanes<T> <= count; j += kLanes<T>) {
        Vec<T> sum = load(c + j);
        for (int row = 0; row < Rows; ++row) {
            sum += factor[row] * load(b + row * b_row + j);
        }
        store(c + j, sum);
    }
    for (; j < count; ++j) {
        for (int row = 0; row < Rows; ++row) {
            c[j] += a[row] * b[row * b_row + j];
        }
    }
}

// Products of `a` with the first `Columns` columns of b, which are consecutive elements, `b_column` apart.
template <int Columns, typename T>
void dot_columns(const T *a, const T *b, std::int64_t b_column, std::int64_t count, T *result) {
    Vec<T> even[Columns] = {};
    Vec<T> odd[Columns] = {};
    std::int64_t k = 0;
    for (; k + 2 * kLanes<T> <= count; k += 2 * kLanes<T>) {
        const Vec<T> a_even = load(a + k);
        const Vec<T> a_odd = load(a + k + kLanes<T>);
        for (int column = 0; column < Columns; ++column) {
            even[column] += a_even * load(b + column * b_column + k);
            odd[column] += a_odd * load(b + column * b_column + k + kLanes<T>);
        }
    }
    for (int column = 0; column < Columns; ++column) {
        T rest = 0;
        for (std::int64_t i = k; i < count; ++i) {
            rest += a[i] * b[column * b_column + i];
        }
        result[column] = sum_of_lanes<T>(even[column] + odd[column]) + rest;
    }
}

// c (1 x n) = or += a (1 x k) b (k x n), then the epilogue. The rows or the columns of b are consecutive elements, and
// `a` is consecutive.
template <typename T>
void multiply_vector(std::int64_t n, std::int64_t k, const T *a, const Matrix<const T> &b, const Matrix<T> &c,
                     bool accumulate, const Epilogue<T> &epilogue) {
    constexpr std::int64_t kChunk = 1024; // columns: their sums stay in the L1 cache
    constexpr int kRows = 8;
    constexpr int kColumns = 4;
    alignas(kVectorBytes) T sums[kChunk];
    for (std::int64_t begin = 0; begin < n; begin += kChunk) {
        const std::int64_t count = n - begin < kChunk ? n - begin : kChunk;
        if (b.row == 1) {
            std::int64_t j = 0;
            for (; j + kColumns <= count; j += kColumns) {
                dot_columns<kColumns>(a, b.at(0, begin + j), b.column, k, sums + j);
            }
            for (; j < count; ++j) {
                dot_columns<1>(a, b.at(0, begin + j), b.column, k, sums + j);
            }
        } else {
            for (std::int64_t j = 0; j < count; ++j) {
                sums[j] = 0;
            }
            std::int64_t i = 0;
            for (; i + kRows <= k; i += kRows) {
                add_rows_of<kRows>(a + i, b.at(i, begin), b.row, sums, count);
            }
            for (; i < k; ++i) {
                add_rows_of<1>(a + i, b.at(i, begin), b.row, sums, count);
            }
        }
        if (accumulate) {
            for (std::int64_t j = 0; j < count; ++j) {
                sums[j] += *c.at(0, begin + j);
            }
        }
        if (!epilogue.empty()) {
            finish(epilogue.part(0, begin), sums, 0, 1, count);
        }
        for (std::int64_t j = 0; j < count; ++j) {
            *c.at(0, begin + j) = sums[j];
        }
    }
}

} // namespace ndk
#endif // NDK_GEMM_VECTOR_HPP
