// SPDX-License-Identifier: Apache-2.0
//
// The innermost part of a matrix product: a tile of it that lives in registers.
#ifndef NDK_GEMM_TILE_HPP
#define NDK_GEMM_TILE_HPP

#include <utility>

#include "gemm/types.hpp"
#include "vec.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace ndk {

// Vectors of units, and what is done with them.
template <typename P>
struct Arithmetic {
    using V = Vec<P>;
    using Sums = V;
    static V load(const P *from) { return ndk::load(from); }
    static void store(P *to, V value) { ndk::store(to, value); }
    static V splat(P value) { return ndk::splat(value); }
    static void add_product(V &sum, V left, V right) { sum += left * right; }
};

template <>
struct Arithmetic<std::int32_t> {
    typedef std::int32_t V __attribute__((vector_size(NDK_VECTOR_BYTES)));
    typedef std::int32_t Unaligned __attribute__((vector_size(NDK_VECTOR_BYTES), aligned(4), may_alias));
    using Sums = V;
    static V load(const std::int32_t *from) { return *reinterpret_cast<const Unaligned *>(from); }
    static void store(std::int32_t *to, V value) { *reinterpret_cast<Unaligned *>(to) = value; }
    static V splat(std::int32_t value) { return V{} + value; }
    static void add_product(V &sum, V left, V right) {
#if defined(__AVX512BW__)
        sum +=
            reinterpret_cast<V>(_mm512_madd_epi16(reinterpret_cast<__m512i>(left), reinterpret_cast<__m512i>(right)));
#elif defined(__AVX2__)
        sum +=
            reinterpret_cast<V>(_mm256_madd_epi16(reinterpret_cast<__m256i>(left), reinterpret_cast<__m256i>(right)));
#elif defined(__SSE2__)
        sum += reinterpret_cast<V>(_mm_madd_epi16(reinterpret_cast<__m128i>(left), reinterpret_cast<__m128i>(right)));
#else
        sum += (left << 16 >> 16) * (right << 16 >> 16) + (left >> 16) * (right >> 16);
#endif
    }
};

#ifdef NDK_PAIRED_BFLOAT16
// Only where the host has avx512_bf16, which no level of the psABI promises. It reads and writes denormal numbers as 0.
template <>
struct Arithmetic<BFloat16Pair> {
    typedef std::uint32_t V __attribute__((vector_size(NDK_VECTOR_BYTES)));
    typedef std::uint32_t Unaligned __attribute__((vector_size(NDK_VECTOR_BYTES), aligned(4), may_alias));
    using Sums = Vec<float>;
    static V load(const BFloat16Pair *from) { return *reinterpret_cast<const Unaligned *>(from); }
    static void store(BFloat16Pair *to, V value) { *reinterpret_cast<Unaligned *>(to) = value; }
    static V splat(BFloat16Pair value) { return V{} + value.bits; }
    // In assembly, because an intrinsic needs a flag with which the compiler may use the feature elsewhere, too.
    static void add_product(Sums &sum, V left, V right) {
        __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(left), "v"(right));
    }
};
#endif

// c (rows x kTileColumns) = or += a (rows x depth) b (depth x kTileColumns). Strides are in units; the columns of b
// and c are consecutive.
template <typename P>
struct TileJob {
    std::int64_t depth;
    const P *a;
    std::int64_t a_stride; // from row to row, or from column to column
    const P *b;
    std::int64_t b_step;
    Sum<P> *c;
    std::int64_t c_row;
    bool accumulate;
};

// Which units of a are consecutive: those of a row, or those of a column, or the same unit as often as a vector has it.
enum class LeftLayout { kRows, kColumns, kSpread };

// Without AVX a unit cannot be broadcast while it is loaded: it takes a shuffle, on a port that additions want, too.
#if defined(__SSE2__) && !defined(__AVX__)
inline constexpr bool kSpreads = true;
#else
inline constexpr bool kSpreads = false;
#endif

template <typename P, LeftLayout Layout, int Rows, int Vectors>
void tile(const TileJob<P> &job) {
    using A = Arithmetic<P>;
    using S = Arithmetic<Sum<P>>;
    static_assert(sizeof(P) == sizeof(Sum<P>), "a vector of units makes a vector of sums");
    constexpr int kGroup = 3; // rows by one address: base, base + stride, base + 2 stride
    constexpr int kGroups = (Rows + kGroup - 1) / kGroup;
    constexpr std::int64_t kSize = static_cast<std::int64_t>(sizeof(P));
    constexpr std::int64_t kPlace = Layout == LeftLayout::kSpread ? kSize * kUnits<P> : kSize; // of a row in a column
    constexpr std::int64_t kLine = 64 / kSize;                                                 // of the cache
    constexpr std::int64_t kAhead = 8; // steps in which a line comes from the L2 cache
    typename A::Sums sums[Rows][Vectors];
#pragma GCC unroll 16
    for (int row = 0; row < Rows; ++row) {
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            sums[row][v] = typename A::Sums{};
        }
    }
    // c comes from memory while the products are computed.
#pragma GCC unroll 16
    for (int row = 0; row < Rows; ++row) {
#pragma GCC unroll 4
        for (std::int64_t i = 0; i < Vectors * kUnits<P>; i += kLine) {
            __builtin_prefetch(job.c + row * job.c_row + i, 1);
        }
    }
    const P *b = job.b;
    const std::int64_t ahead = kAhead * job.b_step;
    const std::int64_t stride = job.a_stride * kSize;
    const char *a[kGroups];
#pragma GCC unroll 16
    for (int group = 0; group < kGroups; ++group) {
        a[group] = reinterpret_cast<const char *>(job.a) + (Layout == LeftLayout::kRows ? group * kGroup * stride : 0);
    }
    for (std::int64_t k = job.depth; k > 0; --k) {
        typename A::V right[Vectors];
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            right[v] = A::load(b + v * kUnits<P>);
        }
#pragma GCC unroll 4
        for (std::int64_t i = 0; i < Vectors * kUnits<P>; i += kLine) {
            __builtin_prefetch(b + ahead + i);
        }
#pragma GCC unroll 16
        for (int row = 0; row < Rows; ++row) {
            const char *address =
                Layout == LeftLayout::kRows ? a[row / kGroup] + row % kGroup * stride : a[0] + row * kPlace;
            const auto *from = reinterpret_cast<const P *>(address);
            const auto left = Layout == LeftLayout::kSpread ? A::load(from) : A::splat(*from);
#pragma GCC unroll 4
            for (int v = 0; v < Vectors; ++v) {
                A::add_product(sums[row][v], left, right[v]);
            }
        }
        b += job.b_step;
#pragma GCC unroll 16
        for (int group = 0; group < (Layout == LeftLayout::kRows ? kGroups : 1); ++group) {
            a[group] += Layout == LeftLayout::kRows ? kSize : stride;
            // Keeps the compiler from one address for each row: there are not that many registers.
            __asm__("" : "+r"(a[group]));
        }
    }
#pragma GCC unroll 16
    for (int row = 0; row < Rows; ++row) {
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            Sum<P> *to = job.c + row * job.c_row + v * kUnits<P>;
            S::store(to, job.accumulate ? S::load(to) + sums[row][v] : sums[row][v]);
        }
    }
}

template <typename P>
using TileFunction = void (*)(const TileJob<P> &);

// The functions for 1, 2, ... kTileRows rows: of tiles that are one vector wide, where c ends, and of whole ones.
template <typename P>
struct TileFunctions {
    TileFunction<P> narrow[kTileRows];
    TileFunction<P> wide[kTileRows];
};

template <typename P, LeftLayout Layout, int... Row>
constexpr TileFunctions<P> tile_functions(std::integer_sequence<int, Row...> /*rows*/) {
    return {{tile<P, Layout, Row + 1, 1>...}, {tile<P, Layout, Row + 1, 2>...}};
}

template <typename P, LeftLayout Layout>
inline constexpr TileFunctions<P> kTileFunctions =
    tile_functions<P, Layout>(std::make_integer_sequence<int, kTileRows>{});

} // namespace ndk
#endif // NDK_GEMM_TILE_HPP
