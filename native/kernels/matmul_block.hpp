// SPDX-License-Identifier: Apache-2.0
//
// One matrix product on one thread: blocked for the caches and packed, after Goto and van de Geijn (Anatomy of
// High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008) and BLIS (Van Zee and van de Geijn, ACM TOMS 41(3),
// 2015).
#ifndef NDK_MATMUL_BLOCK_HPP
#define NDK_MATMUL_BLOCK_HPP

#include "host.hpp"
#include "matmul_pack.hpp"
#include "matmul_tile.hpp"
#include "matmul_vector.hpp"
#include "vec.hpp"

namespace ndk {

// Block sizes, from the smallest caches of the machines a classifier is for.
//   depth:   a panel of x2 (depth x kTileColumns) goes through the L1 cache (32 KiB) once per tile of a block of x1. As
//            long as the cache, it makes loads and stores of c rare; what falls out comes from the L2 cache in time,
//            because a tile takes only two vectors for every 2 * kTileRows multiplications.
//   rows:    a block of x1 (rows x depth) stays in half of an L2 cache of 256 KiB.
//   columns: a block of x2 (depth x columns) stays in a core's share of the L3 cache: 2 MiB.
template <typename T>
struct Blocks {
    static constexpr int kDepth = 32768 / static_cast<int>(2 * kVectorBytes);
    static constexpr int kRowStride = kDepth + 64 / static_cast<int>(sizeof(T)); // off the power of two: other sets
    static constexpr std::int64_t kRows = 131072 / (kDepth * static_cast<int>(sizeof(T))) / kTileRows * kTileRows;
    static constexpr std::int64_t kColumns =
        2097152 / (kDepth * static_cast<int>(sizeof(T))) / kTileColumns<T> * kTileColumns<T>;
};

template <typename T>
struct Product {
    std::int64_t m, n, k;
    Matrix<const T> a;
    Matrix<const T> b;
    Matrix<T> c;

    Product transposed() const { return {n, m, k, b.transposed(), a.transposed(), c.transposed()}; }
    Product part(std::int64_t row, std::int64_t row_end, std::int64_t column, std::int64_t column_end) const {
        return {row_end - row,
                column_end - column,
                k,
                {a.at(row, 0), a.row, a.column},
                {b.at(0, column), b.row, b.column},
                {c.at(row, column), c.row, c.column}};
    }
};

// How one product is computed; decided for the whole, so that its parts on several threads add in the same order.
struct Plan {
    bool vector; // one row, and b as multiply_vector needs it
    bool pack_a;
    bool pack_b;
};

template <typename T>
Plan plan_for(const Product<T> &product) {
    // A copy of a small operand costs more than it saves.
    constexpr std::int64_t kSmall = 65536 / static_cast<std::int64_t>(sizeof(T));
    const bool vector = product.m == 1 && (product.b.column == 1 || product.b.row == 1);
    return {vector, vector ? product.a.column != 1 : product.m * product.k > kSmall || product.n > 64 * kTileColumns<T>,
            !vector && (product.b.column != 1 || product.k * product.n > kSmall)};
}

// Computes products on one thread, in memory that is given.
template <typename T>
class Multiplier {
public:
    using B = Blocks<T>;
    static constexpr std::int64_t kBlockA = B::kRows * B::kRowStride;

    // Elements of scratch memory for one thread.
    static std::int64_t scratch_size(const Product<T> &product, const Plan &plan) {
        if (plan.vector) {
            return plan.pack_a ? product.k : 0;
        }
        return edge_size(product, plan) + (plan.pack_a ? kBlockA : 0) + (plan.pack_b ? panel_block(product) : 0);
    }

    Multiplier(const Product<T> &product, const Plan &plan, T *scratch)
        : plan_(plan), edge_(scratch), block_a_(scratch + edge_size(product, plan)),
          block_b_(block_a_ + (plan.pack_a ? kBlockA : 0)) {}

    void run(const Product<T> &product) const {
        if (!plan_.vector) {
            run_blocks(product);
            return;
        }
        if (plan_.pack_a) {
            pack_rows(product.a, 1, product.k, block_a_, 0);
        }
        multiply_vector(product.n, product.k, plan_.pack_a ? block_a_ : product.a.data, product.b, product.c);
    }

private:
    void run_blocks(const Product<T> &product) const {
        // One piece at least: with k = 0 it writes the zeros.
        const std::int64_t pieces = product.k == 0 ? 1 : (product.k + B::kDepth - 1) / B::kDepth;
        for (std::int64_t j = 0; j < product.n; j += B::kColumns) {
            const std::int64_t columns = product.n - j < B::kColumns ? product.n - j : B::kColumns;
            for (std::int64_t piece = 0; piece < pieces; ++piece) {
                const std::int64_t k = part_begin(product.k, pieces, piece, 1);
                const std::int64_t depth = part_begin(product.k, pieces, piece + 1, 1) - k;
                const Matrix<const T> b{product.b.at(k, j), product.b.row, product.b.column};
                if (plan_.pack_b) {
                    pack_panels(b, depth, columns, block_b_);
                }
                for (std::int64_t i = 0; i < product.m; i += B::kRows) {
                    const std::int64_t rows = product.m - i < B::kRows ? product.m - i : B::kRows;
                    const Matrix<const T> a{product.a.at(i, k), product.a.row, product.a.column};
                    multiply_block({rows, columns, depth, a, b, {product.c.at(i, j), product.c.row, product.c.column}},
                                   piece > 0);
                }
            }
        }
    }

    // The last panel of x2, packed where the others are not: a direct read would go beyond its last column.
    static std::int64_t edge_size(const Product<T> &product, const Plan &plan) {
        const bool used = !plan.vector && !plan.pack_b && product.n % kTileColumns<T> != 0;
        return used ? B::kDepth * kTileColumns<T> : 0;
    }

    static std::int64_t panel_block(const Product<T> &product) {
        const std::int64_t columns = product.n < B::kColumns ? product.n : B::kColumns;
        return (columns + kTileColumns<T> - 1) / kTileColumns<T> * kTileColumns<T> * B::kDepth;
    }

    static std::int64_t width_at(std::int64_t column, std::int64_t columns) {
        return columns - column < kTileColumns<T> ? columns - column : kTileColumns<T>;
    }

    // All tiles of one block of c; x2's panels are packed already if they are to be.
    void multiply_block(const Product<T> &block, bool accumulate) const {
        TileJob<T> job{};
        job.depth = block.k;
        job.accumulate = accumulate;
        const TileFunctions<T> *functions = &kTileFunctions<T, TileLayout::kDirect, 0>;
        Matrix<const T> a = block.a;
        std::int64_t a_panel = kTileRows * a.row; // from one tile's rows to the next one's
        if (plan_.pack_a && a.row == 1) {
            pack_columns(a, block.m, block.k, block_a_);
            a = {block_a_, 1, kTileRows};
            a_panel = kTileRows * block.k;
            if (plan_.pack_b) {
                functions = &kTileFunctions<T, TileLayout::kPackedColumns, 0>;
            }
        } else if (plan_.pack_a) {
            pack_rows(a, block.m, block.k, block_a_, B::kRowStride);
            a = {block_a_, B::kRowStride, 1};
            a_panel = kTileRows * B::kRowStride;
            if (plan_.pack_b) {
                functions = &kTileFunctions<T, TileLayout::kPackedRows, B::kRowStride>;
            }
        }
        job.a_row = a.row;
        job.a_step = a.column;
        for (std::int64_t j = 0; j < block.n; j += kTileColumns<T>) {
            const std::int64_t width = width_at(j, block.n);
            if (plan_.pack_b) {
                job.b = block_b_ + j * block.k;
                job.b_step = kTileColumns<T>;
            } else if (width == kTileColumns<T>) {
                job.b = block.b.at(0, j);
                job.b_step = block.b.row;
            } else {
                pack_panel(Matrix<const T>{block.b.at(0, j), block.b.row, block.b.column}, block.k, width, edge_);
                job.b = edge_;
                job.b_step = kTileColumns<T>;
            }
            job.a = a.data;
            for (std::int64_t i = 0; i < block.m; i += kTileRows, job.a += a_panel) {
                const std::int64_t height = block.m - i < kTileRows ? block.m - i : kTileRows;
                const Matrix<T> c{block.c.at(i, j), block.c.row, block.c.column};
                const TileFunction<T> function =
                    width > kLanes<T> ? functions->wide[height - 1] : functions->narrow[height - 1];
                run_tile(function, job, c, height, width);
            }
        }
    }

    // A tile that does not fit onto c, by its width or its strides, goes through a buffer.
    static void run_tile(TileFunction<T> function, TileJob<T> &job, const Matrix<T> &c, std::int64_t height,
                         std::int64_t width) {
        if (width == kTileColumns<T> && c.column == 1) {
            job.c = c.data;
            job.c_row = c.row;
            function(job);
            return;
        }
        alignas(kVectorBytes) T buffer[kTileRows * kTileColumns<T>];
        TileJob<T> buffered = job;
        buffered.c = buffer;
        buffered.c_row = kTileColumns<T>;
        buffered.accumulate = false;
        function(buffered);
        for (std::int64_t i = 0; i < height; ++i) {
            for (std::int64_t j = 0; j < width; ++j) {
                const T value = buffer[i * kTileColumns<T> + j];
                *c.at(i, j) = job.accumulate ? *c.at(i, j) + value : value;
            }
        }
    }

    Plan plan_;
    T *edge_;
    T *block_a_;
    T *block_b_;
};

} // namespace ndk
#endif // NDK_MATMUL_BLOCK_HPP
