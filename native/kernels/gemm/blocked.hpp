// SPDX-License-Identifier: Apache-2.0
//
// The definitions of gemm.hpp, which are instantiated once for each type of operand. Blocked for the caches and packed,
// after Goto and van de Geijn (Anatomy of High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008) and BLIS
// (Van Zee and van de Geijn, ACM TOMS 41(3), 2015).
#ifndef NDK_GEMM_BLOCKED_HPP
#define NDK_GEMM_BLOCKED_HPP

#include <type_traits>

#include "gemm/block.hpp"
#include "gemm/gemm.hpp"
#include "gemm/pack.hpp"
#include "gemm/vector.hpp"
#include "host.hpp"

namespace ndk {

// Whether the tiles can read the operands of T where they lie.
template <typename T>
inline constexpr bool kDirect = std::is_same_v<T, Packed<T>>;

// 16-bit floats are added up in a block of floats, which is rounded in the end.
template <typename T>
inline constexpr bool kRounded = !std::is_same_v<Sum<T>, Result<T>>;

// Blocks of c of a rounded product: as much as 1 MiB of sums.
template <typename T>
inline constexpr std::int64_t kRoundedRows = 480;
template <typename T>
inline constexpr std::int64_t kRoundedColumns = 512;

// Whether all of a block's columns of b are packed at once, as more than one block of rows reads them: up to 2 MiB.
template <typename T>
bool packs_whole_columns(const Product<T> &product, const Plan &plan) {
    return plan.pack_b && product.m > kRoundedRows<T> &&
           units_of<T>(product.k) * kRoundedColumns<T> <= (1 << 21) / static_cast<std::int64_t>(sizeof(Packed<T>));
}

// The pieces that k is cut into; one at least, which writes the zeros of k = 0.
template <typename T>
struct Pieces {
    explicit Pieces(std::int64_t length)
        : k(length), count(length == 0 ? 1 : (units_of<T>(length) + kDepth<Packed<T>> - 1) / kDepth<Packed<T>>) {}

    std::int64_t begin(std::int64_t piece) const { return part_begin(k, count, piece, Operand<T>::kStep); }

    std::int64_t k;
    std::int64_t count;
};

// How the scratch memory of a product is divided, in units.
template <typename T>
struct Division {
    using P = Packed<T>;

    Division(const Product<T> &product, const Plan &plan) {
        if (plan.vector) {
            left = plan.pack_a ? product.k : 0;
            return;
        }
        const std::int64_t units = units_of<T>(product.k);
        const std::int64_t depth = units < kDepth<P> ? units : kDepth<P>;
        const std::int64_t rows = round_up(product.m < kBlockRows<P> ? product.m : kBlockRows<P>, kTileRows);
        const std::int64_t columns = kTileColumns<P>;
        left = plan.pack_a ? round_up(rows * depth + kUnits<P>, kUnits<P>) : 0;
        right =
            plan.pack_b ? round_up(product.n < kBlockColumns<P> ? product.n : kBlockColumns<P>, columns) * depth : 0;
        const std::int64_t rest = product.n % columns;
        const bool partial = rest != 0 && !whole_vectors<P>(rest);
        edge = !plan.pack_b && product.packed_b.data == nullptr && partial ? columns * depth : 0;
    }

    std::int64_t left = 0;
    std::int64_t right = 0;
    std::int64_t edge = 0; // the last panel of b, packed where the others are not: a direct read would go beyond it
};

template <typename T>
Plan plan_for(const Product<T> &product) {
    const bool left = product.packed_a.data == nullptr;
    const bool right = product.packed_b.data == nullptr;
    if constexpr (!kDirect<T>) {
        return {false, left, right};
    } else {
        // A copy of a small operand costs more than it saves, and so does one that few tiles read.
        constexpr std::int64_t kSmall = 65536 / static_cast<std::int64_t>(sizeof(T));
        constexpr std::int64_t kWidth = kTileColumns<T>;
        if (product.m == 1 && left && right && (product.b.column == 1 || product.b.row == 1)) {
            return {true, product.a.column != 1, false};
        }
        const bool strided = product.a.column != 1 && product.a.row != 1;
        const bool many_rows = product.m > 5 * kTileRows;
        const bool many_columns = product.n > 3 * kWidth;
        return {false, left && (strided || (product.m * product.k > kSmall && many_columns) || product.n > 16 * kWidth),
                right && (product.b.column != 1 || product.b.row == 0 || // a block takes b_step 0 for packed
                          (product.k * product.n > kSmall && many_rows))};
    }
}

template <typename T>
std::int64_t scratch_bytes(const Product<T> &product, const Plan &plan) {
    const Division<T> division(product, plan);
    std::int64_t sums = 0;
    if constexpr (kRounded<T>) {
        sums = kRoundedRows<T> * kRoundedColumns<T>;
        sums += packs_whole_columns(product, plan) ? packed_right_size<T>(product.k, kRoundedColumns<T>) : 0;
    }
    return (division.left + division.right + division.edge + sums) * static_cast<std::int64_t>(sizeof(Packed<T>));
}

template <typename T>
void multiply_sums(const Product<T> &product, const Matrix<Sum<T>> &c, const Plan &plan, Packed<T> *scratch) {
    using P = Packed<T>;
    const Division<T> division(product, plan);
    P *const left = scratch;
    P *const right = left + division.left;
    const Pieces<T> pieces(product.k);
    const bool finishes = !product.epilogue.empty();
    for (std::int64_t i = 0; i < product.m; i += kBlockRows<P>) {
        for (std::int64_t piece = 0; piece < pieces.count; ++piece) {
            const std::int64_t k = pieces.begin(piece);
            const std::int64_t depth = pieces.begin(piece + 1) - k;
            Block<P> block;
            block.rows = product.m - i < kBlockRows<P> ? product.m - i : kBlockRows<P>;
            block.depth = units_of<T>(depth);
            block.accumulate = piece > 0 || product.accumulate;
            block.edge = right + division.right;
            block.a_stride = kTileRows;
            block.a_panel = kTileRows * block.depth;
            if (product.packed_a.data != nullptr) {
                block.a = product.packed_a.at(k, depth, i);
            } else if (plan.pack_a) {
                pack_left_block(Matrix<const T>{product.a.at(i, k), product.a.row, product.a.column}, block.rows, depth,
                                left);
                block.a = left;
            } else if constexpr (kDirect<T>) {
                block.a = product.a.at(i, k);
                block.layout = product.a.row == 1 ? LeftLayout::kColumns : LeftLayout::kRows;
                block.a_stride = product.a.row == 1 ? product.a.column : product.a.row;
                block.a_panel = kTileRows * product.a.row;
            }
            for (std::int64_t j = 0; j < product.n; j += kBlockColumns<P>) {
                block.columns = product.n - j < kBlockColumns<P> ? product.n - j : kBlockColumns<P>;
                if (product.packed_b.data != nullptr) {
                    block.b = product.packed_b.at(k, depth, j);
                } else if (plan.pack_b) {
                    pack_right_block(Matrix<const T>{product.b.at(k, j), product.b.row, product.b.column}, depth,
                                     block.columns, right);
                    block.b = right;
                } else if constexpr (kDirect<T>) {
                    block.b = product.b.at(k, j);
                    block.b_step = product.b.row;
                }
                const Epilogue<Sum<T>> epilogue = product.epilogue.part(i, j);
                block.epilogue = finishes && piece + 1 == pieces.count ? &epilogue : nullptr;
                multiply_block(block, Matrix<Sum<T>>{c.at(i, j), c.row, c.column});
            }
        }
    }
}

template <typename T>
void round_block(const Sum<T> *from, std::int64_t from_row, const Matrix<T> &to, std::int64_t rows,
                 std::int64_t columns) {
    for (std::int64_t i = 0; i < rows; ++i) {
        std::int64_t j = 0;
        for (; to.column == 1 && j + kUnits<float> <= columns; j += kUnits<float>) {
            store_floats(to.at(i, j), load(from + i * from_row + j));
        }
        for (; j < columns; ++j) {
            *to.at(i, j) = from_float<T>(from[i * from_row + j]);
        }
    }
}

template <typename T>
void multiply(const Product<T> &product, const Plan &plan, void *scratch) {
    auto *memory = static_cast<Packed<T> *>(scratch);
    if constexpr (kDirect<T>) {
        if (plan.vector) {
            const T *a = product.a.data;
            if (plan.pack_a) {
                for (std::int64_t k = 0; k < product.k; ++k) {
                    memory[k] = *product.a.at(0, k);
                }
                a = memory;
            }
            multiply_vector(product.n, product.k, a, product.b, product.c, product.accumulate, product.epilogue);
            return;
        }
    }
    if constexpr (kRounded<T>) {
        auto *sums = reinterpret_cast<Sum<T> *>(memory);
        memory += kRoundedRows<T> * kRoundedColumns<T>;
        Packed<T> *right = nullptr;
        if (packs_whole_columns(product, plan)) {
            right = memory;
            memory += packed_right_size<T>(product.k, kRoundedColumns<T>);
        }
        for (std::int64_t j = 0; j < product.n; j += kRoundedColumns<T>) {
            const std::int64_t columns = product.n - j < kRoundedColumns<T> ? product.n - j : kRoundedColumns<T>;
            Panels<T> panels;
            if (right != nullptr) {
                panels = pack_right(Matrix<const T>{product.b.at(0, j), product.b.row, product.b.column}, product.k,
                                    columns, right);
            }
            for (std::int64_t i = 0; i < product.m; i += kRoundedRows<T>) {
                const std::int64_t rows = product.m - i < kRoundedRows<T> ? product.m - i : kRoundedRows<T>;
                Product<T> part = product.part(i, i + rows, j, j + columns);
                if (right != nullptr) {
                    part.packed_b = panels;
                }
                multiply_sums(part, Matrix<Sum<T>>{sums, kRoundedColumns<T>, 1}, plan, memory);
                round_block(sums, kRoundedColumns<T>, part.c, rows, columns);
            }
        }
    } else {
        multiply_sums(product, product.c, plan, memory);
    }
}

template <typename T>
std::int64_t packed_left_size(std::int64_t m, std::int64_t k) {
    return round_up(m, kTileRows) * units_of<T>(k) + kUnits<Packed<T>>;
}

template <typename T>
std::int64_t packed_right_size(std::int64_t k, std::int64_t n) {
    return round_up(n, kTileColumns<Packed<T>>) * units_of<T>(k);
}

template <typename T>
Panels<T> pack_left(const Matrix<const T> &a, std::int64_t m, std::int64_t k, Packed<T> *to) {
    const Panels<T> panels{to, round_up(m, kTileRows), 0};
    const Pieces<T> pieces(k);
    for (std::int64_t piece = 0; piece < pieces.count; ++piece) {
        const std::int64_t begin = pieces.begin(piece);
        pack_left_block(Matrix<const T>{a.at(0, begin), a.row, a.column}, m, pieces.begin(piece + 1) - begin,
                        to + units_of<T>(begin) * panels.padded);
    }
    return panels;
}

template <typename T>
Panels<T> pack_right(const Matrix<const T> &b, std::int64_t k, std::int64_t n, Packed<T> *to) {
    const Panels<T> panels{to, round_up(n, kTileColumns<Packed<T>>), 0};
    const Pieces<T> pieces(k);
    for (std::int64_t piece = 0; piece < pieces.count; ++piece) {
        const std::int64_t begin = pieces.begin(piece);
        pack_right_block(Matrix<const T>{b.at(begin, 0), b.row, b.column}, pieces.begin(piece + 1) - begin, n,
                         to + units_of<T>(begin) * panels.padded);
    }
    return panels;
}

template <typename T>
void pack_left_block(const Matrix<const T> &a, std::int64_t m, std::int64_t k, Packed<T> *to) {
    pack_panels<T, kTileRows>(a, m, k, to);
}

template <typename T>
void pack_right_block(const Matrix<const T> &b, std::int64_t k, std::int64_t n, Packed<T> *to) {
    pack_panels<T, kTileColumns<Packed<T>>>(b.transposed(), n, k, to);
}

} // namespace ndk

#define NDK_INSTANTIATE_GEMM(T)                                                                                        \
    template ndk::Plan ndk::plan_for<T>(const ndk::Product<T> &);                                                      \
    template std::int64_t ndk::scratch_bytes<T>(const ndk::Product<T> &, const ndk::Plan &);                           \
    template void ndk::multiply<T>(const ndk::Product<T> &, const ndk::Plan &, void *);                                \
    template std::int64_t ndk::packed_left_size<T>(std::int64_t, std::int64_t);                                        \
    template std::int64_t ndk::packed_right_size<T>(std::int64_t, std::int64_t);                                       \
    template ndk::Panels<T> ndk::pack_left<T>(const ndk::Matrix<const T> &, std::int64_t, std::int64_t,                \
                                              ndk::Packed<T> *);                                                       \
    template ndk::Panels<T> ndk::pack_right<T>(const ndk::Matrix<const T> &, std::int64_t, std::int64_t,               \
                                               ndk::Packed<T> *);                                                      \
    template void ndk::pack_left_block<T>(const ndk::Matrix<const T> &, std::int64_t, std::int64_t, ndk::Packed<T> *); \
    template void ndk::pack_right_block<T>(const ndk::Matrix<const T> &, std::int64_t, std::int64_t, ndk::Packed<T> *)

#endif // NDK_GEMM_BLOCKED_HPP
