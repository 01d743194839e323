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
    const Epilogue<Sum<P>> *epilogue = nullptr;
};

// Whether columns are whole vectors of a tile: of a wide one or of a narrow one.
template <typename P>
bool whole_vectors(std::int64_t columns) {
    return columns == kTileColumns<P> || columns == kUnits<P>;
}

// How many columns of a b that is not packed the tiles read where they lie: a direct read of others would go beyond it.
template <typename P>
std::int64_t whole_columns(const Block<P> &block) {
    const std::int64_t rest = block.columns % kTileColumns<P>;
    return block.columns - (whole_vectors<P>(rest) ? 0 : rest);
}

template <typename P>
void copy_row(const P *from, P *to, std::int64_t count) {
    std::int64_t i = 0;
    for (; i + kUnits<P> <= count; i += kUnits<P>) {
        Arithmetic<P>::store(to + i, Arithmetic<P>::load(from + i));
    }
    for (; i < count; ++i) {
        to[i] = from[i];
    }
}

// Takes c's whole width in registers where it can; a tile that does not fit onto c, by its width or its strides, goes
// through a buffer.
template <typename P>
void run_tile(TileFunction<P> function, TileJob<P> &job, const Matrix<Sum<P>> &c, std::int64_t rows,
              std::int64_t columns, const Epilogue<Sum<P>> *epilogue) {
    if (whole_vectors<P>(columns) && c.column == 1) {
        job.c = c.data;
        job.c_row = c.row;
        function(job);
        if (epilogue != nullptr) {
            finish(*epilogue, c.data, c.row, rows, columns);
        }
        return;
    }
    alignas(kVectorBytes) Sum<P> buffer[kTileRows * kTileColumns<P>];
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
        if (c.column == 1) {
            copy_row(buffer + i * kTileColumns<P>, c.at(i, 0), columns);
            continue;
        }
        for (std::int64_t j = 0; j < columns; ++j) {
            *c.at(i, j) = buffer[i * kTileColumns<P> + j];
        }
    }
}

// All tiles of one tile's height of rows; `job` has the rows of a.
template <typename P>
void multiply_rows(const Block<P> &block, TileJob<P> &job, const TileFunctions<P> &functions, std::int64_t i,
                   const Matrix<Sum<P>> &c) {
    const std::int64_t height = block.rows - i < kTileRows ? block.rows - i : kTileRows;
    const std::int64_t whole = whole_columns(block);
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
        const TileFunction<P> function = width > kUnits<P> ? functions.wide[height - 1] : functions.narrow[height - 1];
        const Epilogue<Sum<P>> part = block.epilogue == nullptr ? Epilogue<Sum<P>>{} : block.epilogue->part(i, j);
        run_tile(function, job, Matrix<Sum<P>>{c.at(i, j), c.row, c.column}, height, width,
                 block.epilogue == nullptr ? nullptr : &part);
    }
}

// The same with every unit of a as often as a vector has it. Apart, because of the memory on the stack.
template <typename P>
[[gnu::noinline]] void multiply_spread_rows(const Block<P> &block, TileJob<P> &job, std::int64_t i,
                                            const Matrix<Sum<P>> &c) {
    alignas(kVectorBytes) P units[kTileRows * kDepth<P> * kUnits<P>];
    const bool by_rows = block.layout == LeftLayout::kRows;
    const std::int64_t row = by_rows ? block.a_stride : 1;
    const std::int64_t column = by_rows ? 1 : block.a_stride;
    const std::int64_t height = block.rows - i < kTileRows ? block.rows - i : kTileRows;
    for (std::int64_t k = 0; k < block.depth; ++k) {
        for (std::int64_t r = 0; r < height; ++r) {
            Arithmetic<P>::store(units + (k * kTileRows + r) * kUnits<P>,
                                 Arithmetic<P>::splat(job.a[r * row + k * column]));
        }
    }
    TileJob<P> spread = job;
    spread.a = units;
    spread.a_stride = kTileRows * kUnits<P>;
    multiply_rows(block, spread, kTileFunctions<P, LeftLayout::kSpread>, i, c);
}

template <typename P>
void multiply_block(const Block<P> &block, const Matrix<Sum<P>> &c) {
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
    const std::int64_t whole = whole_columns(block);
    if (block.b_step != 0 && whole < block.columns) {
        const std::int64_t rest = block.columns - whole;
        for (std::int64_t k = 0; k < block.depth; ++k) {
            P *to = block.edge + k * kTileColumns<P>;
            copy_row(block.b + k * block.b_step + whole, to, rest);
            for (std::int64_t i = rest; i < kTileColumns<P>; ++i) {
                to[i] = P{0};
            }
        }
    }
    job.a = block.a;
    for (std::int64_t i = 0; i < block.rows; i += kTileRows, job.a += block.a_panel) {
        if constexpr (kSpreads) {
            // What it costs is that of about two tiles.
            if (block.depth <= kDepth<P> && block.columns > 4 * kTileColumns<P>) {
                multiply_spread_rows(block, job, i, c);
                continue;
            }
        }
        multiply_rows(block, job, *functions, i, c);
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
