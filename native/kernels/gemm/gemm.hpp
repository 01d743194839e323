// SPDX-License-Identifier: Apache-2.0
//
// Matrix products for the operators that are made of them: c = activation(a b + bias) or c += a b, where a is m x k,
// b is k x n and c is m x n, of any strides. For operands of float, double, BFloat16, Float16 and std::int8_t
// (types.hpp says what they are added up and stored as).
//
// On one thread, in memory that is given:
//
//     const Plan plan = plan_for(product);
//     const Scratch<char> scratch(host, scratch_bytes(product, plan));
//     multiply(product, plan, scratch.get());
//
// A product may be cut into parts (`part`) for several threads: with the plan of the whole, the parts have the same
// bits as the whole. parallel.hpp does that. An operand that is used again and again is packed once with pack_left or
// pack_right, which takes packed_left_size or packed_right_size units of memory, aligned to 64 bytes. An operator that
// makes its operand on the fly packs blocks itself, in the format that is described at multiply_packed.
//
// Scratch memory: at most a block of each operand, less than 3 MiB per thread and 4 MiB for 16-bit floats; for
// a single row that is not consecutive, the row.
#ifndef NDK_GEMM_GEMM_HPP
#define NDK_GEMM_GEMM_HPP

#include "gemm/epilogue.hpp"
#include "gemm/types.hpp"

namespace ndk {

// An operand that was packed as a whole. Null data stands for one that was not.
template <typename T>
struct Panels {
    const Packed<T> *data = nullptr;
    std::int64_t padded = 0; // its rows (of a) or columns (of b), rounded up to whole tiles
    std::int64_t first = 0;  // the first row or column of this part: a multiple of the tile's

    // The panels from row or column `index` on of the piece that begins at k, a multiple of kStep.
    const Packed<T> *at(std::int64_t k, std::int64_t depth, std::int64_t index) const {
        return data + units_of<T>(k) * padded + (first + index) * units_of<T>(depth);
    }
};

template <typename T>
struct Product {
    std::int64_t m = 0;
    std::int64_t n = 0;
    std::int64_t k = 0;
    Matrix<const T> a; // not read where packed_a has data
    Matrix<const T> b;
    Matrix<Result<T>> c;
    bool accumulate = false; // c += a b; not for 16-bit floats
    Epilogue<Sum<T>> epilogue;
    Panels<T> packed_a;
    Panels<T> packed_b;

    // Not for packed operands.
    Product transposed() const {
        return {n, m, k, b.transposed(), a.transposed(), c.transposed(), accumulate, epilogue.transposed(), {}, {}};
    }

    // Rows and columns from `row` and `column` on, which are multiples of the tile's.
    Product part(std::int64_t row, std::int64_t row_end, std::int64_t column, std::int64_t column_end) const {
        return {row_end - row,
                column_end - column,
                k,
                {a.at(row, 0), a.row, a.column},
                {b.at(0, column), b.row, b.column},
                {c.at(row, column), c.row, c.column},
                accumulate,
                epilogue.part(row, column),
                {packed_a.data, packed_a.padded, packed_a.first + row},
                {packed_b.data, packed_b.padded, packed_b.first + column}};
    }
};

// How a product is computed.
struct Plan {
    bool vector; // one row, and b as the products of a row need it
    bool pack_a; // copies blocks of a, or the row
    bool pack_b;
};

template <typename T>
Plan plan_for(const Product<T> &product);

template <typename T>
std::int64_t scratch_bytes(const Product<T> &product, const Plan &plan);

// `scratch` has scratch_bytes() bytes, aligned to 64; of the whole product or of a larger part of it.
template <typename T>
void multiply(const Product<T> &product, const Plan &plan, void *scratch);

template <typename T>
std::int64_t packed_left_size(std::int64_t m, std::int64_t k);
template <typename T>
std::int64_t packed_right_size(std::int64_t k, std::int64_t n);

template <typename T>
Panels<T> pack_left(const Matrix<const T> &a, std::int64_t m, std::int64_t k, Packed<T> *to);
template <typename T>
Panels<T> pack_right(const Matrix<const T> &b, std::int64_t k, std::int64_t n, Packed<T> *to);

// c (m x n, any strides) = or += a b for one packed block, then the epilogue where it is not null. P is float, double
// or std::int32_t, a pair of 16-bit integers, the first in the low half. `depth` units along k, best kDepth<P> of them.
// a: for every kTileRows rows a panel of `depth` columns, each of which has its kTileRows units one after the other.
//    Rows beyond the last may hold anything.
// b: for every kTileColumns<P> columns a panel of `depth` rows, each of which has its units one after the other.
// Columns
//    beyond the last may hold anything; 0 spares the processor denormal numbers.
template <typename P>
void multiply_packed(std::int64_t m, std::int64_t n, std::int64_t depth, const P *a, const P *b,
                     const Matrix<Sum<P>> &c, bool accumulate, const Epilogue<Sum<P>> *epilogue);

// The same for operands that exist: one block as multiply_packed takes it. a is m x k, b is k x n. pack_left_block
// writes up to kUnits units beyond the last panel.
template <typename T>
void pack_left_block(const Matrix<const T> &a, std::int64_t m, std::int64_t k, Packed<T> *to);
template <typename T>
void pack_right_block(const Matrix<const T> &b, std::int64_t k, std::int64_t n, Packed<T> *to);

} // namespace ndk
#endif // NDK_GEMM_GEMM_HPP
