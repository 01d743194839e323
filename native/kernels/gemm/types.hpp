// SPDX-License-Identifier: Apache-2.0
//
// What the operands of a matrix product are made of, and the sizes of the tiles and blocks that it is cut into.
#ifndef NDK_GEMM_TYPES_HPP
#define NDK_GEMM_TYPES_HPP

#include <cstdint>

#include "gemm/half.hpp"
#include "vec.hpp"

namespace ndk {

// A matrix by the address of its first element and its strides in elements.
template <typename T>
struct Matrix {
    T *data = nullptr;
    std::int64_t row = 0;
    std::int64_t column = 0;

    T *at(std::int64_t i, std::int64_t j) const { return data + i * row + j * column; }
    Matrix transposed() const { return {data, column, row}; }
};

// For elements T of the operands: the unit they are packed as, which holds kStep of them that follow each other along
// k; the type of the sums; and that of the result.
template <typename T>
struct Operand {
    using Packed = T;
    using Sum = T;
    using Result = T;
    static constexpr int kStep = 1;
};

template <>
struct Operand<BFloat16> {
    using Packed = float;
    using Sum = float;
    using Result = BFloat16;
    static constexpr int kStep = 1;
};

template <>
struct Operand<Float16> {
    using Packed = float;
    using Sum = float;
    using Result = Float16;
    static constexpr int kStep = 1;
};

#if defined(__AVX512F__)
#define NDK_PAIRED_BFLOAT16
#endif

// bfloat16 that the CPU multiplies and adds in pairs, where it has the instruction. Its own type, because that is known
// at run time only: with_bfloat16 chooses.
struct PairedBFloat16 : BFloat16 {};

struct BFloat16Pair {
    std::uint32_t bits; // the first in the low half
};

template <>
struct Operand<PairedBFloat16> {
    using Packed = BFloat16Pair;
    using Sum = float;
    using Result = PairedBFloat16;
    static constexpr int kStep = 2;
};

template <>
struct Operand<BFloat16Pair> {
    using Packed = BFloat16Pair;
    using Sum = float;
    using Result = float;
    static constexpr int kStep = 1;
};

// Two neighbours, widened to 16 bits, share a unit: the x86 instruction PMADDWD multiplies and adds pairs. Sums are
// exact as long as they fit 32 bits, for any elements with k < 2^17 (2^17 * 2^14 = 2^31); beyond that they wrap.
template <>
struct Operand<std::int8_t> {
    using Packed = std::int32_t;
    using Sum = std::int32_t;
    using Result = std::int32_t;
    static constexpr int kStep = 2;
};

template <typename T>
using Packed = typename Operand<T>::Packed;
template <typename T>
using Sum = typename Operand<T>::Sum;
template <typename T>
using Result = typename Operand<T>::Result;

// A tile is kTileRows rows by two vectors of units. Besides the accumulators, two vectors of the right operand and one
// broadcast unit of the left one need a register: 12 + 3 of 16, 24 + 3 of 32.
inline constexpr int kTileRows = kVectorRegisters == 32 ? 12 : 6;

template <typename P>
inline constexpr std::int64_t kUnits = static_cast<std::int64_t>(kVectorBytes / sizeof(P)); // in a vector

template <typename P>
inline constexpr std::int64_t kTileColumns = 2 * kUnits<P>;

// Block sizes in units, from the caches of the machines a classifier is for. All but kDepth are the business of
// blocked.hpp.
//   depth:   a panel of the left operand (kTileRows x depth) stays in the L1 cache while the panels of a block of the
//            right one pass it: 12 KiB for AVX-512 and 6 KiB for AVX2; without AVX it is spread (tile.hpp), to 24 KiB
//            at most. Long enough to make loads and stores of c rare.
//   columns: a block of the right operand (depth x columns) stays in the L2 cache: 1 MiB and more where there is
//            AVX-512, 256 KiB and more otherwise; what is left is for a, for c and for others.
//   rows:    a block of the left operand (rows x depth) stays in a core's share of the L3 cache: 2 MiB.
template <typename P>
inline constexpr std::int64_t kDepth = 1024 / static_cast<std::int64_t>(sizeof(P));

template <typename P>
inline constexpr std::int64_t kBlockRows = 2048 / kTileRows * kTileRows;

template <typename P>
inline constexpr std::int64_t kBlockColumns = (kVectorBytes == 64 ? 384 : 128) / kTileColumns<P> * kTileColumns<P>;

inline std::int64_t round_up(std::int64_t count, std::int64_t unit) { return (count + unit - 1) / unit * unit; }

template <typename T>
inline std::int64_t units_of(std::int64_t k) {
    return (k + Operand<T>::kStep - 1) / Operand<T>::kStep;
}

} // namespace ndk
#endif // NDK_GEMM_TYPES_HPP
