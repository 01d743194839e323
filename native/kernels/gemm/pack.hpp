// SPDX-License-Identifier: Apache-2.0
//
// Packing: copies of blocks of the operands in the order in which the tiles read them.
#ifndef NDK_GEMM_PACK_HPP
#define NDK_GEMM_PACK_HPP

#include <type_traits>
#include <utility>

#include "gemm/tile.hpp"
#include "gemm/types.hpp"
#include "vec.hpp"

namespace ndk {

template <typename P>
using UnitVector = typename Arithmetic<P>::V;

// How elements become units. kUnits units that are consecutive along k come from `vector`; `one` and `pair` make a
// single unit, the latter from an element and the next one along k; `row` makes a row of `count` units.
template <typename T>
struct Packer {
    static UnitVector<T> vector(const T *from) { return load(from); }
    static T one(T element) { return element; }
    [[gnu::always_inline]] static void row(const T *from, T *to, std::int64_t count) {
        std::int64_t i = 0;
        for (; i + kUnits<T> <= count; i += kUnits<T>) {
            store(to + i, load(from + i));
        }
        for (; i < count; ++i) {
            to[i] = from[i];
        }
    }
};

template <typename T>
struct HalfPacker {
    static Vec<float> vector(const T *from) { return load_floats(from); }
    static float one(T element) { return to_float(element); }
    [[gnu::always_inline]] static void row(const T *from, float *to, std::int64_t count) {
        std::int64_t i = 0;
        for (; i + kUnits<float> <= count; i += kUnits<float>) {
            store(to + i, load_floats(from + i));
        }
        for (; i < count; ++i) {
            to[i] = to_float(from[i]);
        }
    }
};

template <>
struct Packer<BFloat16> : HalfPacker<BFloat16> {};
template <>
struct Packer<Float16> : HalfPacker<Float16> {};

#ifdef NDK_PAIRED_BFLOAT16
template <>
struct Packer<PairedBFloat16> {
    static UnitVector<BFloat16Pair> vector(const PairedBFloat16 *from) {
        UnitVector<BFloat16Pair> pairs;
        __builtin_memcpy(&pairs, from, sizeof(pairs));
        return pairs;
    }
    static BFloat16Pair pair(PairedBFloat16 first, PairedBFloat16 second) {
        return {first.bits | static_cast<std::uint32_t>(second.bits) << 16};
    }
    [[gnu::always_inline]] static void row(const PairedBFloat16 *first, const PairedBFloat16 *second, BFloat16Pair *to,
                                           std::int64_t count) {
        std::int64_t i = 0;
        for (; i + kUnits<BFloat16Pair> <= count; i += kUnits<BFloat16Pair>) {
            const auto low = __builtin_convertvector(load_half_bits(&first[i].bits), WordBits);
            const auto high = __builtin_convertvector(load_half_bits(&second[i].bits), WordBits);
            Arithmetic<BFloat16Pair>::store(to + i, low | high << 16);
        }
        for (; i < count; ++i) {
            to[i] = pair(first[i], second[i]);
        }
    }
};
#endif

template <>
struct Packer<std::int8_t> {
    static UnitVector<std::int32_t> vector(const std::int8_t *from) {
        typedef std::int8_t Bytes __attribute__((vector_size(NDK_VECTOR_BYTES / 2), aligned(1), may_alias));
        typedef std::int8_t Aligned __attribute__((vector_size(NDK_VECTOR_BYTES / 2)));
        typedef std::int16_t Wide __attribute__((vector_size(NDK_VECTOR_BYTES)));
        const Aligned bytes = *reinterpret_cast<const Bytes *>(from);
        return reinterpret_cast<UnitVector<std::int32_t>>(__builtin_convertvector(bytes, Wide));
    }
    static std::int32_t pair(std::int8_t first, std::int8_t second) {
        return static_cast<std::int32_t>((static_cast<std::uint32_t>(second) << 16) |
                                         (static_cast<std::uint32_t>(first) & 0xffff));
    }
    static void row(const std::int8_t *first, const std::int8_t *second, std::int32_t *to, std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) {
            to[i] = pair(first[i], second[i]);
        }
    }
};

// The unit of row i of x that begins at column k; `columns` is where x ends.
template <typename T>
inline Packed<T> unit_at(const Matrix<const T> &x, std::int64_t i, std::int64_t k, std::int64_t columns) {
    if constexpr (Operand<T>::kStep == 2) {
        return Packer<T>::pair(*x.at(i, k), k + 1 < columns ? *x.at(i, k + 1) : T{0});
    } else {
        static_cast<void>(columns);
        return Packer<T>::one(*x.at(i, k));
    }
}

// One step of the transposition of a square of vectors: exchanges the off-diagonal blocks of `Distance` rows and lanes.
template <int Distance, typename V, int... Lane>
[[gnu::always_inline]] inline void exchange(V &upper, V &lower, std::integer_sequence<int, Lane...> /*lanes*/) {
    constexpr int kCount = static_cast<int>(sizeof...(Lane));
    const V first = __builtin_shufflevector(upper, lower, ((Lane & Distance) ? kCount + Lane - Distance : Lane)...);
    const V second = __builtin_shufflevector(upper, lower, ((Lane & Distance) ? kCount + Lane : Lane + Distance)...);
    upper = first;
    lower = second;
}

template <typename P, int Distance>
[[gnu::always_inline]] inline void transpose_steps(UnitVector<P> (&rows)[kUnits<P>]) {
    if constexpr (Distance > 0) {
#pragma GCC unroll 16
        for (int i = 0; i < static_cast<int>(kUnits<P>); ++i) {
            if ((i & Distance) == 0) {
                exchange<Distance>(rows[i], rows[i + Distance],
                                   std::make_integer_sequence<int, static_cast<int>(kUnits<P>)>{});
            }
        }
        transpose_steps<P, Distance / 2>(rows);
    }
}

// to[i * to_row + j] = unit i of row j, for i < kUnits and j < kUnits; rows from `count` on are 0.
template <typename T>
void transpose_square(const T *from, std::int64_t from_row, std::int64_t count, Packed<T> *to, std::int64_t to_row) {
    using P = Packed<T>;
    UnitVector<P> rows[kUnits<P>];
#pragma GCC unroll 16
    for (int j = 0; j < static_cast<int>(kUnits<P>); ++j) {
        rows[j] = j < count ? Packer<T>::vector(from + j * from_row) : UnitVector<P>{};
    }
    transpose_steps<P, static_cast<int>(kUnits<P> / 2)>(rows);
#pragma GCC unroll 16
    for (int i = 0; i < static_cast<int>(kUnits<P>); ++i) {
        Arithmetic<P>::store(to + i * to_row, rows[i]);
    }
}

// A panel whose entries are units of the rows of x, `Width` of them side by side: to[u * Width + i] = unit u of row i.
// The columns of x are consecutive. Rows from `count` on are 0 or stay as they are. Writes up to kUnits units beyond.
template <typename T, std::int64_t Width>
void pack_transposed(const Matrix<const T> &x, std::int64_t count, std::int64_t k, Packed<T> *to) {
    using P = Packed<T>;
    constexpr std::int64_t kStep = Operand<T>::kStep;
    const std::int64_t units = units_of<T>(k);
    std::int64_t u = 0;
    for (; (u + kUnits<P>)*kStep <= k; u += kUnits<P>) {
        // From the last square to the first, so that what a square writes beyond its rows is overwritten.
        for (std::int64_t i = (Width - 1) / kUnits<P> * kUnits<P>; i >= 0; i -= kUnits<P>) {
            transpose_square(x.at(i < count ? i : 0, u * kStep), x.row, count - i, to + u * Width + i, Width);
        }
    }
    for (; u < units; ++u) {
        for (std::int64_t i = 0; i < Width; ++i) {
            to[u * Width + i] = i < count ? unit_at(x, i, u * kStep, k) : P{0};
        }
    }
}

// The same for any strides, and best where the rows of x are consecutive.
template <typename T, std::int64_t Width>
void pack_straight(const Matrix<const T> &x, std::int64_t count, std::int64_t k, Packed<T> *to) {
    using P = Packed<T>;
    constexpr std::int64_t kStep = Operand<T>::kStep;
    const std::int64_t units = units_of<T>(k);
    for (std::int64_t u = 0; u < units; ++u) {
        P *line = to + u * Width;
        std::int64_t i = 0;
        if (x.row == 1 && (u + 1) * kStep <= k) {
            if constexpr (kStep == 2) {
                Packer<T>::row(x.at(0, 2 * u), x.at(0, 2 * u + 1), line, count);
            } else if (std::is_same_v<T, P> && count == Width) {
                __builtin_memcpy(line, x.at(0, u), Width * sizeof(P)); // a few moves: the size is known
            } else {
                Packer<T>::row(x.at(0, u), line, count);
            }
            i = count;
        }
        for (; i < count; ++i) {
            line[i] = unit_at(x, i, u * kStep, k);
        }
        for (; i < Width; ++i) {
            line[i] = P{0};
        }
    }
}

template <typename T, std::int64_t Width>
void pack_panels(const Matrix<const T> &x, std::int64_t rows, std::int64_t k, Packed<T> *to) {
    const std::int64_t units = units_of<T>(k);
    std::int64_t i = 0;
    // Four panels together, so that more than one or two lines of the cache are read before the next column.
    constexpr std::int64_t kTogether = 4;
    constexpr std::int64_t kStep = Operand<T>::kStep;
    for (; x.row == 1 && i + kTogether * Width <= rows; i += kTogether * Width) {
        for (std::int64_t u = 0; u < units; ++u) {
            for (std::int64_t panel = 0; panel < kTogether; ++panel) {
                const std::int64_t first = i + panel * Width;
                Packed<T> *line = to + i * units + (panel * units + u) * Width;
                if constexpr (kStep == 1) {
                    Packer<T>::row(x.at(first, u), line, Width);
                } else if ((u + 1) * kStep <= k) {
                    Packer<T>::row(x.at(first, 2 * u), x.at(first, 2 * u + 1), line, Width);
                } else {
                    for (std::int64_t j = 0; j < Width; ++j) {
                        line[j] = unit_at(x, first + j, u * kStep, k);
                    }
                }
            }
        }
    }
    for (; i < rows; i += Width) {
        const std::int64_t count = rows - i < Width ? rows - i : Width;
        const Matrix<const T> panel{x.at(i, 0), x.row, x.column};
        if (x.column == 1) {
            pack_transposed<T, Width>(panel, count, k, to + i * units);
        } else {
            pack_straight<T, Width>(panel, count, k, to + i * units);
        }
    }
}

} // namespace ndk
#endif // NDK_GEMM_PACK_HPP
