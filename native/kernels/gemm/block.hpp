// SPDX-License-Identifier: Apache-2.0
//
// All tiles of one block of a product.
#ifndef NDK_GEMM_BLOCK_HPP
#define NDK_GEMM_BLOCK_HPP

#include <type_traits>

#include "gemm/gemm.hpp"
#include "gemm/tile.hpp"
#include "gemm/types.hpp"

namespace ndk {

// The operands of a block in units, depth of them along k. A packed b has b_step 0.
template <typename P>
struct Block {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::int64_t depth = 0;
    const P *a = nullptr;
    LeftLayout layout = LeftLayout::kColumns;
    std::int64_t a_stride = 0; // as TileJob has it
    std::int64_t a_panel = 0;  // from one tile's rows to the next one's
    const P *b = nullptr;
    std::int64_t b_step = 0;
    P *edge = nullptr; // memory for the last panel of a b that is not packed
    bool accumulate = false;
    const Epilogue<P> *epilogue = nullptr;
};

// Takes c's whole width in registers where it can; a tile that does not fit onto c, by its width or its strides, goes
// through a buffer.
template <typename P>
void run_tile(TileFunction<P> function, TileJob<P> &job, const Matrix<P> &c, std::int64_t rows, std::int64_t columns,
              const Epilogue<P> *epilogue) {
    if (columns == kTileColumns<P> && c.column == 1) {
        job.c = c.data;
        job.c_row = c.row;
        function(job);
        if (epilogue != nullptr) {
            finish(*epilogue, c.data, c.row, rows, columns);
        }
        return;
    }
    alignas(kVectorBytes) P buffer[kTileRows * kTileColumns<P>];
    TileJob<P> buffered = job;
    buffered.c = buffer;
    buffered.c_row = kTileColumns<P>;
    buffered.accumulate = false;
    function(buffered);
    if (job.accumulate) {
        for (std::int64_t i = 0; i < rows; ++i) {
            for (std::int64_t j = 0; j < columns; ++j) {
                buffer[i * kTileColumns<P> + j] += *c.at(i, j);
            }
        }
    }
    if (epilogue != nullptr) {
        finish(*epilogue, buffer, kTileColumns<P>, rows, columns);
    }
    for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) {
            *c.at(i, j) = buffer[i * kTileColumns<P> + j];
        }
    }
}

// The units of a tile's rows, each as often as a vector has it.
template <typename P>
void spread(const P *from, LeftLayout layout, std::int64_t stride, std::int64_t rows, std::int64_t depth, P *to) {
    const std::int64_t row = layout == LeftLayout::kRows ? stride : 1;
    const std::int64_t column = layout == LeftLayout::kRows ? 1 : stride;
    for (std::int64_t k = 0; k < depth; ++k) {
        for (std::int64_t i = 0; i < rows; ++i) {
            Arithmetic<P>::store(to + (k * kTileRows + i) * kUnits<P>,
                                 Arithmetic<P>::splat(from[i * row + k * column]));
        }
    }
}

template <typename P>
void multiply_block(const Block<P> &block, const Matrix<P> &c) {
    constexpr std::int64_t kSpreadUnits = kTileRows * kDepth<P> * kUnits<P>;
    alignas(kVectorBytes) P spread_rows[kSpreads ? kSpreadUnits : 1];
    // What it costs is that of about two tiles.
    const bool spreads = kSpreads && block.depth <= kDepth<P> && block.columns > 4 * kTileColumns<P>;
    TileJob<P> job{};
    job.depth = block.depth;
    job.accumulate = block.accumulate;
    job.a_stride = block.a_stride;
    const TileFunctions<P> *functions = &kTileFunctions<P, LeftLayout::kColumns>;
    if constexpr (std::is_floating_point_v<P>) { // integers are always packed
        if (block.layout == LeftLayout::kRows) {
            functions = &kTileFunctions<P, LeftLayout::kRows>;
        }
    }
    if constexpr (kSpreads) {
        if (spreads) {
            functions = &kTileFunctions<P, LeftLayout::kSpread>;
            job.a_stride = kTileRows * kUnits<P>;
        }
    }
    const std::int64_t whole = block.columns / kTileColumns<P> * kTileColumns<P>;
    if (block.b_step != 0 && whole < block.columns) {
        for (std::int64_t k = 0; k < block.depth; ++k) {
            for (std::int64_t i = 0; i < kTileColumns<P>; ++i) {
                const bool inside = whole + i < block.columns;
                block.edge[k * kTileColumns<P> + i] = inside ? block.b[k * block.b_step + whole + i] : P{0};
            }
        }
    }
    const P *a = block.a;
    for (std::int64_t i = 0; i < block.rows; i += kTileRows, a += block.a_panel) {
        const std::int64_t height = block.rows - i < kTileRows ? block.rows - i : kTileRows;
        job.a = a;
        if (spreads) {
            spread(a, block.layout, block.a_stride, height, block.depth, spread_rows);
            job.a = spread_rows;
        }
        for (std::int64_t j = 0; j < block.columns; j += kTileColumns<P>) {
            const std::int64_t width = block.columns - j < kTileColumns<P> ? block.columns - j : kTileColumns<P>;
            job.b_step = kTileColumns<P>;
            if (block.b_step == 0) {
                job.b = block.b + j * block.depth;
            } else if (j < whole) {
                job.b = block.b + j;
                job.b_step = block.b_step;
            } else {
                job.b = block.edge;
            }
            const TileFunction<P> function =
                width > kUnits<P> ? functions->wide[height - 1] : functions->narrow[height - 1];
            const Epilogue<P> part = block.epilogue == nullptr ? Epilogue<P>{} : block.epilogue->part(i, j);
            run_tile(function, job, Matrix<P>{c.at(i, j), c.row, c.column}, height, width,
                     block.epilogue == nullptr ? nullptr : &part);
        }
    }
}

template <typename P>
void multiply_packed(std::int64_t m, std::int64_t n, std::int64_t depth, const P *a, const P *b,
                     const Matrix<Sum<P>> &c, bool accumulate, const Epilogue<Sum<P>> *epilogue) {
    Block<P> block;
    block.rows = m;
    block.columns = n;
    block.depth = depth;
    block.a = a;
    block.a_stride = kTileRows;
    block.a_panel = kTileRows * depth;
    block.b = b;
    block.accumulate = accumulate;
    block.epilogue = epilogue;
    multiply_block(block, c);
}

} // namespace ndk

#define NDK_INSTANTIATE_MULTIPLY_PACKED(P)                                                                             \
    template void ndk::multiply_packed<P>(std::int64_t, std::int64_t, std::int64_t, const P *, const P *,              \
                                          const ndk::Matrix<P> &, bool, const ndk::Epilogue<P> *)

// Whoever multiplies packed units of a type of its own takes its tiles from there.
extern template void ndk::multiply_block<float>(const ndk::Block<float> &, const ndk::Matrix<float> &);

#endif // NDK_GEMM_BLOCK_HPP
