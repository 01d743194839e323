// SPDX-License-Identifier: Apache-2.0
//
// The operands of the matrix product that a convolution is (im2col: Chellapilla, Puri, Simard: High Performance
// Convolutional Neural Networks for Document Processing, 2006), in the order in which the tiles read them. Only a block
// of the product's depth for a panel of places exists at a time, never the expanded image.
#ifndef NDK_CONVOLUTION_PANELS_HPP
#define NDK_CONVOLUTION_PANELS_HPP

#include "partial.hpp"
#include "problem.hpp"

namespace ndk::convolution {

// Elements of x that a panel's row takes one after the other.
struct Run {
    std::int64_t from;
    std::int64_t to;
    std::int64_t count;
};

inline constexpr int kMostPlaces = 64; // in a panel: four vectors of 16

// The elements of x that the weight at (depth, height, width) = `tap` meets at the places `rows`. Returns their number.
template <typename T>
inline int runs_of(const Problem<T> &problem, const Row *rows, int row_count, const std::int64_t (&tap)[kAxes],
                   Run *runs) {
    int found = 0;
    std::int64_t end_from = 0;
    std::int64_t end_to = -1;
    const std::int64_t step = problem.stride[2] * problem.x_space[2];
    for (int i = 0; i < row_count; ++i) {
        const Row &row = rows[i];
        const std::int64_t plane = row.plane * problem.stride[0] - problem.pad[0] + tap[0] * problem.dilation[0];
        const std::int64_t line = row.line * problem.stride[1] - problem.pad[1] + tap[1] * problem.dilation[1];
        if (plane < 0 || plane >= problem.in[0] || line < 0 || line >= problem.in[1]) {
            continue;
        }
        std::int64_t column = row.begin * problem.stride[2] - problem.pad[2] + tap[2] * problem.dilation[2];
        std::int64_t count = row.count;
        std::int64_t place = row.place;
        for (; column < 0 && count > 0; --count, ++place) {
            column += problem.stride[2];
        }
        while (count > 0 && column + (count - 1) * problem.stride[2] >= problem.in[2]) {
            --count;
        }
        if (count == 0) {
            continue;
        }
        const std::int64_t from = row.image * problem.x_batch + plane * problem.x_space[0] + line * problem.x_space[1] +
                                  column * problem.x_space[2];
        if (place == end_to && from == end_from) {
            runs[found - 1].count += count;
        } else {
            runs[found++] = {from, place, count};
        }
        end_to = place + count;
        end_from = from + count * step;
    }
    return found;
}

// Panel: for the part [begin, end) of the depth, numbered over (channel, tap), `width` elements of x for consecutive
// places, of which `count` exist; 0 for those outside of x and for those that do not exist.
template <typename T>
inline void pack_panel(const Problem<T> &problem, const T *x, std::int64_t first, std::int64_t count,
                       std::int64_t width, std::int64_t begin, std::int64_t end, T *to) {
    Row rows[kMostPlaces];
    const int row_count = rows_of(problem, first, count, rows);
    const std::int64_t taps = problem.taps();
    const std::int64_t step = problem.stride[2] * problem.x_space[2];
    // Taps that come up in this part: all of them where it holds a whole channel.
    const std::int64_t first_tap = end - begin >= taps ? 0 : begin % taps;
    const std::int64_t tap_count = end - begin >= taps ? taps : end - begin;
    std::int64_t tap[kAxes] = {first_tap / (problem.kernel[1] * problem.kernel[2]),
                               first_tap / problem.kernel[2] % problem.kernel[1], first_tap % problem.kernel[2]};
    const std::int64_t first_channel = begin / taps;
    for (std::int64_t i = 0; i < tap_count; ++i) {
        Run runs[kMostPlaces];
        const int run_count = runs_of(problem, rows, row_count, tap, runs);
        std::int64_t covered = 0;
        for (int run = 0; run < run_count; ++run) {
            covered += runs[run].count;
        }
        const std::int64_t tap_index = (tap[0] * problem.kernel[1] + tap[1]) * problem.kernel[2] + tap[2];
        std::int64_t channel = first_channel + (first_channel * taps + tap_index < begin ? 1 : 0);
        T *row = to + (channel * taps + tap_index - begin) * width;
        for (; channel * taps + tap_index < end; ++channel, row += taps * width) {
            const T *from = x + channel * problem.x_channel;
            if (covered != width) {
                for (std::int64_t place = 0; place < width; place += kLanes<T>) {
                    store(row + place, Vec<T>{});
                }
            }
            if (step == 1) { // the loops with constant steps are the ones that matter
                for (int run = 0; run < run_count; ++run) {
                    copy_short(from + runs[run].from, row + runs[run].to, runs[run].count);
                }
            } else {
                for (int run = 0; run < run_count; ++run) {
                    copy_spread(from + runs[run].from, step, row + runs[run].to, runs[run].count);
                }
            }
        }
        if (++tap[2] == problem.kernel[2]) {
            tap[2] = 0;
            if (++tap[1] == problem.kernel[1]) {
                tap[1] = 0;
                if (++tap[0] == problem.kernel[0]) {
                    tap[0] = 0;
                }
            }
        }
    }
}

// Whether the panels are parts of a matrix: one tap, and pixels of x without gaps.
template <typename T>
inline bool plain(const Problem<T> &problem) {
    bool result = problem.taps() == 1 && (problem.in[2] == 1 || problem.x_space[2] == 1) &&
                  (problem.in[1] == 1 || problem.x_space[1] == problem.in[2]) &&
                  (problem.in[0] == 1 || problem.x_space[0] == problem.in[1] * problem.in[2]);
    for (int axis = 0; axis < kAxes; ++axis) {
        result = result && problem.stride[axis] == 1 && problem.pad[axis] == 0 && problem.in[axis] == problem.out[axis];
    }
    return result;
}

// The same for `panels` whole panels of a plain problem: `from` is the first place in the first channel. All panels of
// a channel are read before the next one's, which lies on another page.
template <int Vectors, typename T>
inline void pack_plain(const T *from, std::int64_t channel, std::int64_t depth, std::int64_t panels, T *to) {
    constexpr std::int64_t kWidth = Vectors * kLanes<T>;
    constexpr std::int64_t kAhead = 4; // channels
    for (std::int64_t k = 0; k < depth; ++k) {
        for (std::int64_t panel = 0; panel < panels; ++panel) {
            const T *row = from + k * channel + panel * kWidth;
#pragma GCC unroll 4
            for (std::int64_t v = 0; v < Vectors; ++v) {
                __builtin_prefetch(row + kAhead * channel + v * kLanes<T>);
                store(to + (panel * depth + k) * kWidth + v * kLanes<T>, load(row + v * kLanes<T>));
            }
        }
    }
}

// The part [begin, end) of the depth of one filter's weights, as consecutive elements.
template <typename T>
inline void pack_filter(const Problem<T> &problem, const T *w, std::int64_t begin, std::int64_t end, bool flat, T *to) {
    const std::int64_t taps = problem.taps();
    std::int64_t channel = begin / taps;
    std::int64_t tap = begin % taps;
    while (begin < end) {
        const std::int64_t count = taps - tap < end - begin ? taps - tap : end - begin;
        const T *from = w + channel * problem.w_channel;
        if (flat) {
            copy_short(from + tap, to, count);
        } else {
            std::int64_t k2 = tap % problem.kernel[2];
            std::int64_t k1 = tap / problem.kernel[2] % problem.kernel[1];
            std::int64_t k0 = tap / (problem.kernel[1] * problem.kernel[2]);
            for (std::int64_t i = 0; i < count; ++i) {
                to[i] = from[k0 * problem.w_space[0] + k1 * problem.w_space[1] + k2 * problem.w_space[2]];
                if (++k2 == problem.kernel[2]) {
                    k2 = 0;
                    if (++k1 == problem.kernel[1]) {
                        k1 = 0;
                        ++k0;
                    }
                }
            }
        }
        begin += count;
        to += count;
        tap = 0;
        ++channel;
    }
}

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_PANELS_HPP
