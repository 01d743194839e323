// SPDX-License-Identifier: Apache-2.0
//
// The three transformations of Winograd's minimal filtering F(4x4, 3x3), for as many tiles or channels at once as a
// vector has lanes. Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (CVPR 2016), section 4.3:
// y = A^T [(G g G^T) * (B^T d B)] A with the matrices for the points 0, 1, -1, 2, -2 and infinity.
#ifndef NDK_CONVOLUTION_WINOGRAD_TRANSFORMS_HPP
#define NDK_CONVOLUTION_WINOGRAD_TRANSFORMS_HPP

#include "partial.hpp"

namespace ndk::convolution::winograd {

inline constexpr int kOut = 4;              // a tile of the output is kOut x kOut
inline constexpr int kIn = 6;               // and meets kIn x kIn places of the input
inline constexpr int kProducts = kIn * kIn; // multiplications per tile, channel and filter
inline constexpr int kKernel = 3;

// B^T d for six elements of one direction.
template <typename V>
[[gnu::always_inline]] inline void transform_input(const V (&d)[kIn], V (&t)[kIn]) {
    const V even = d[4] - 4 * d[2];
    const V odd = d[3] - 4 * d[1];
    const V wide_even = d[4] - d[2];
    const V wide_odd = 2 * (d[3] - d[1]);
    t[0] = 4 * d[0] - 5 * d[2] + d[4];
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = wide_even + wide_odd;
    t[4] = wide_even - wide_odd;
    t[5] = 4 * d[1] - 5 * d[3] + d[5];
}

// G g for three elements.
template <typename T, typename V>
[[gnu::always_inline]] inline void transform_weights(const V &g0, const V &g1, const V &g2, V (&t)[kIn]) {
    constexpr T kSixth = T{1} / 6;
    constexpr T kTwelfth = T{1} / 12;
    constexpr T kQuarter = T{1} / 4;
    const V ends = (g0 + g2) * kSixth;
    const V middle = g1 * kSixth;
    const V wide_ends = g0 * (kSixth * kQuarter) + g2 * kSixth;
    const V wide_middle = g1 * kTwelfth;
    t[0] = g0 * kQuarter;
    t[1] = -ends - middle;
    t[2] = middle - ends;
    t[3] = wide_ends + wide_middle;
    t[4] = wide_ends - wide_middle;
    t[5] = g2;
}

// A^T m for six products.
template <typename V>
[[gnu::always_inline]] inline void transform_output(const V (&m)[kIn], V (&y)[kOut]) {
    const V sum = m[1] + m[2];
    const V difference = m[1] - m[2];
    const V wide_sum = m[3] + m[4];
    const V wide_difference = m[3] - m[4];
    y[0] = m[0] + sum + wide_sum;
    y[1] = difference + 2 * wide_difference;
    y[2] = sum + 4 * wide_sum;
    y[3] = difference + 8 * wide_difference + m[5];
}

// Lanes 0, 2, 4, ... and 1, 3, 5, ... of two vectors, and the inverse of that.
template <int Offset, typename V, int... Lane>
[[gnu::always_inline]] inline V every_second(V low, V high, std::integer_sequence<int, Lane...>) {
    return __builtin_shufflevector(low, high, (2 * Lane + Offset)...);
}

template <int Offset, typename V, int... Lane>
[[gnu::always_inline]] inline V woven(V even, V odd, std::integer_sequence<int, Lane...>) {
    constexpr int kCount = static_cast<int>(sizeof...(Lane));
    return __builtin_shufflevector(even, odd, (Lane / 2 + Offset * (kCount / 2) + (Lane % 2) * kCount)...);
}

template <typename V, int... Lane>
[[gnu::always_inline]] inline V shifted(V value, V next, std::integer_sequence<int, Lane...>) {
    return __builtin_shufflevector(value, next, (Lane + 1)...);
}

template <typename T>
using Lanes = std::make_integer_sequence<int, static_cast<int>(kLanes<T>)>;

// Four vectors of consecutive elements as the vectors of the elements 4 t, 4 t + 1, 4 t + 2, 4 t + 3.
template <typename T>
[[gnu::always_inline]] inline void split_by_four(const Vec<T> (&row)[kOut], Vec<T> &p0, Vec<T> &p1, Vec<T> &p2,
                                                 Vec<T> &p3) {
    const Vec<T> even_low = every_second<0>(row[0], row[1], Lanes<T>{});
    const Vec<T> even_high = every_second<0>(row[2], row[3], Lanes<T>{});
    const Vec<T> odd_low = every_second<1>(row[0], row[1], Lanes<T>{});
    const Vec<T> odd_high = every_second<1>(row[2], row[3], Lanes<T>{});
    p0 = every_second<0>(even_low, even_high, Lanes<T>{});
    p2 = every_second<1>(even_low, even_high, Lanes<T>{});
    p1 = every_second<0>(odd_low, odd_high, Lanes<T>{});
    p3 = every_second<1>(odd_low, odd_high, Lanes<T>{});
}

// The inverse.
template <typename T>
[[gnu::always_inline]] inline void weave_four(const Vec<T> (&p)[kOut], Vec<T> (&row)[kOut]) {
    const Vec<T> even_low = woven<0>(p[0], p[2], Lanes<T>{});
    const Vec<T> even_high = woven<1>(p[0], p[2], Lanes<T>{});
    const Vec<T> odd_low = woven<0>(p[1], p[3], Lanes<T>{});
    const Vec<T> odd_high = woven<1>(p[1], p[3], Lanes<T>{});
    row[0] = woven<0>(even_low, odd_low, Lanes<T>{});
    row[1] = woven<1>(even_low, odd_low, Lanes<T>{});
    row[2] = woven<0>(even_high, odd_high, Lanes<T>{});
    row[3] = woven<1>(even_high, odd_high, Lanes<T>{});
}

// The lanes [begin, end) of a vector in memory; the others are 0 and their memory is not touched.
template <typename T>
[[gnu::always_inline]] inline Vec<T> load_lanes(const T *from, std::int64_t begin, std::int64_t end) {
#if defined(__AVX512F__)
    const auto mask = ((1U << end) - 1U) & ~((1U << begin) - 1U);
    if constexpr (sizeof(T) == 4) {
        return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from));
    } else {
        return reinterpret_cast<Vec<T>>(_mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), from));
    }
#else
    if (begin == 0 && end == kLanes<T>) {
        return load(from);
    }
    alignas(kVectorBytes) T lanes[kLanes<T>] = {};
    for (std::int64_t i = begin; i < end; ++i) {
        lanes[i] = from[i];
    }
    return load(lanes);
#endif
}

// The nine weights of kLanes channels; where there are fewer, `count`, the last one is repeated.
template <typename T>
[[gnu::always_inline]] inline void gather_weights(const T *w, std::int64_t channel, const std::int64_t *tap,
                                                  std::int64_t count, Vec<T> (&g)[kKernel * kKernel]) {
#if defined(__AVX512F__)
    constexpr std::int64_t kMost = 1 << 26; // 15 times it is an index of 32 bits
    if (sizeof(T) == 4 && channel < kMost && channel > -kMost) {
        alignas(64) std::int32_t index[16];
        for (std::int32_t lane = 0; lane < 16; ++lane) {
            const auto last = static_cast<std::int32_t>(count) - 1;
            index[lane] = (lane < last ? lane : last) * static_cast<std::int32_t>(channel);
        }
        const __m512i indices = _mm512_load_si512(index);
#pragma GCC unroll 9
        for (int i = 0; i < kKernel * kKernel; ++i) {
            const T *from = w + (i / kKernel * tap[0] + i % kKernel * tap[1]);
            g[i] = reinterpret_cast<Vec<T>>(_mm512_mask_i32gather_ps(__m512{}, 0xffff, indices, from, 4));
        }
        return;
    }
#endif
    alignas(kVectorBytes) T lanes[kKernel * kKernel][kLanes<T>];
    for (std::int64_t lane = 0; lane < kLanes<T>; ++lane) {
        const T *from = w + (lane < count ? lane : count - 1) * channel;
#pragma GCC unroll 9
        for (int i = 0; i < kKernel * kKernel; ++i) {
            lanes[i][lane] = from[i / kKernel * tap[0] + i % kKernel * tap[1]];
        }
    }
#pragma GCC unroll 9
    for (int i = 0; i < kKernel * kKernel; ++i) {
        g[i] = load(lanes[i]);
    }
}

// G g G^T for kLanes channels of one filter: `w` are the first one's weights; products `to_step` apart.
template <typename T>
inline void weights(const T *w, std::int64_t channel, const std::int64_t *tap, std::int64_t count, T *to,
                    std::int64_t to_step) {
    Vec<T> g[kKernel * kKernel];
    gather_weights(w, channel, tap, count, g);
    Vec<T> half[kIn][kKernel];
#pragma GCC unroll 3
    for (int j = 0; j < kKernel; ++j) {
        Vec<T> t[kIn];
        transform_weights<T>(g[j], g[kKernel + j], g[2 * kKernel + j], t);
#pragma GCC unroll 6
        for (int i = 0; i < kIn; ++i) {
            half[i][j] = t[i];
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < kIn; ++i) {
        Vec<T> t[kIn];
        transform_weights<T>(half[i][0], half[i][1], half[i][2], t);
#pragma GCC unroll 6
        for (int j = 0; j < kIn; ++j) {
            store(to + (i * kIn + j) * to_step, t[j]);
        }
    }
}

// Where a run of tiles of one line of tiles lies.
struct Segment {
    std::int64_t image, plane;
    std::int64_t line, column; // of the first tile's first place in the output
    std::int64_t count;        // tiles: at most kLanes
    std::int64_t place;        // of the first tile in its block
};

// What a segment sees of a plane of the input: lines [first_line, last_line) of the six, columns [begin, end) of
// 4 * kLanes + 2.
struct Window {
    std::int64_t first_line, last_line, begin, end;
};

// B^T d B for one channel of a segment. `x` is the place, maybe outside of the plane, of the first tile's first
// element; columns are `step` apart. Products are `to_step` apart.
template <typename T>
inline void input(const T *x, std::int64_t line_step, std::int64_t step, const Window &window, std::int64_t count,
                  T *to, std::int64_t to_step) {
    constexpr std::int64_t kLane = kLanes<T>;
    constexpr std::int64_t kColumns = kOut * kLane;
    Vec<T> half[kIn][kIn];
#pragma GCC unroll 6
    for (std::int64_t i = 0; i < kIn; ++i) {
        if (i < window.first_line || i >= window.last_line) {
#pragma GCC unroll 6
            for (int j = 0; j < kIn; ++j) {
                half[i][j] = Vec<T>{};
            }
            continue;
        }
        const T *line = x + i * line_step;
        Vec<T> row[kOut];
        T next[2] = {};
        alignas(kVectorBytes) T gathered[kColumns + 2];
        std::int64_t begin = window.begin;
        if (step != 1) {
            for (std::int64_t j = 0; j < kColumns + 2; ++j) {
                gathered[j] = j >= begin && j < window.end ? line[j * step] : T{0};
            }
            line = gathered;
            begin = 0;
        }
        const std::int64_t end = step != 1 ? kColumns + 2 : window.end;
#pragma GCC unroll 4
        for (std::int64_t v = 0; v < kOut; ++v) {
            const std::int64_t low = begin - v * kLane;
            const std::int64_t high = end - v * kLane;
            row[v] = load_lanes(line + v * kLane, low < 0 ? 0 : (low < kLane ? low : kLane),
                                high < 0 ? 0 : (high < kLane ? high : kLane));
        }
        for (std::int64_t j = kColumns; j < end; ++j) {
            next[j - kColumns] = line[j];
        }
        Vec<T> d[kIn];
        split_by_four<T>(row, d[0], d[1], d[2], d[3]);
        d[4] = shifted(d[0], splat(next[0]), Lanes<T>{});
        d[5] = shifted(d[1], splat(next[1]), Lanes<T>{});
        transform_input(d, half[i]);
    }
#pragma GCC unroll 6
    for (int j = 0; j < kIn; ++j) {
        const Vec<T> d[kIn] = {half[0][j], half[1][j], half[2][j], half[3][j], half[4][j], half[5][j]};
        Vec<T> t[kIn];
        transform_input(d, t);
#pragma GCC unroll 6
        for (int i = 0; i < kIn; ++i) {
            store_first(to + (i * kIn + j) * to_step, t[i], count);
        }
    }
}

// The first `count` lanes; 0 in the others, which may hold anything.
template <typename T>
[[gnu::always_inline]] inline Vec<T> first_of(Vec<T> value, std::int64_t count) {
    Vec<T> number{};
#pragma GCC unroll 16
    for (int i = 0; i < static_cast<int>(kLanes<T>); ++i) {
        number[i] = static_cast<T>(i);
    }
    return number < static_cast<T>(count) ? value : Vec<T>{};
}

// A^T m A + bias for one filter of a segment, of which `lines` x `columns` places exist; products are `step` apart.
// What is not finite of these makes NaN of a lane of `seen`.
template <typename T>
inline void output(const T *m, std::int64_t step, T bias, T *y, std::int64_t line_step, std::int64_t column_step,
                   std::int64_t lines, std::int64_t columns, Vec<T> &seen) {
    Vec<T> half[kOut][kIn];
#pragma GCC unroll 6
    for (int j = 0; j < kIn; ++j) {
        Vec<T> column[kIn];
#pragma GCC unroll 6
        for (int i = 0; i < kIn; ++i) {
            column[i] = load(m + (i * kIn + j) * step);
        }
        Vec<T> t[kOut];
        transform_output(column, t);
#pragma GCC unroll 4
        for (int i = 0; i < kOut; ++i) {
            half[i][j] = t[i];
        }
    }
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < kOut; ++i) {
        if (i >= lines) {
            return;
        }
        Vec<T> t[kOut];
        Vec<T> row[kOut];
        transform_output(half[i], t);
        weave_four<T>(t, row);
        alignas(kVectorBytes) T buffer[kOut * kLanes<T>];
        T *to = column_step == 1 ? y + i * line_step : buffer;
#pragma GCC unroll 4
        for (std::int64_t v = 0; v < kOut; ++v) {
            const std::int64_t left = columns - v * kLanes<T>;
            if (left > 0) {
                const Vec<T> sum = row[v] + splat(bias);
                const Vec<T> zero_or_nan = sum * T{0};
                seen += left < kLanes<T> ? first_of<T>(zero_or_nan, left) : zero_or_nan;
                store_first(to + v * kLanes<T>, sum, left < kLanes<T> ? left : kLanes<T>);
            }
        }
        if (column_step != 1) {
            for (std::int64_t j = 0; j < columns; ++j) {
                y[i * line_step + j * column_step] = buffer[j];
            }
        }
    }
}

} // namespace ndk::convolution::winograd
#endif // NDK_CONVOLUTION_WINOGRAD_TRANSFORMS_HPP
