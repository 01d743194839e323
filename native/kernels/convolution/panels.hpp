// SPDX-License-Identifier: Apache-2.0
//
// The operands of the matrix product that a convolution is (im2col: Chellapilla, Puri, Simard: High Performance
// Convolutional Neural Networks for Document Processing, 2006), in the order in which the tiles read them. Only a block
// of the product's depth for a panel of places exists at a time, never the expanded image.
#ifndef NDK_CONVOLUTION_PANELS_HPP
#define NDK_CONVOLUTION_PANELS_HPP

#include "gather.hpp"
#include "lines.hpp"
#include "partial.hpp"
#include "problem.hpp"

namespace ndk::convolution {

// Elements of x that a panel's row takes one after the other.
struct Run {
    std::int64_t from;
    std::int64_t to;
    std::int64_t count;
};

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

#if defined(__AVX512F__)
template <typename T>
[[gnu::noinline]] void pack_lines(const Problem<T> &problem, const T *x, std::int64_t first, std::int64_t count,
                                  std::int64_t width, std::int64_t begin, std::int64_t end, T *to) {
    Lines<T>(problem, first, count, width).pack(x, begin, end, to);
}

// pack_panel for a part that holds whole channels.
template <typename T>
[[gnu::noinline]] void gather_panel(const Problem<T> &problem, const T *x, std::int64_t first_place, std::int64_t count,
                                    std::int64_t width, std::int64_t begin, std::int64_t end, T *to) {
    Gather<T> gather(problem, first_place, count, width);
    const std::int64_t taps = problem.taps();
    for (std::int64_t column = 0; column < problem.kernel[2]; ++column) {
        gather.set_column(column);
        for (std::int64_t line = 0; line < problem.kernel[0] * problem.kernel[1]; ++line) {
            const std::int64_t tap = line * problem.kernel[2] + column;
            const std::int64_t channel = (begin - tap + taps - 1) / taps; // the first one of the part; begin may be 0
            const std::int64_t first = channel * taps + tap;
            gather.set_line(line / problem.kernel[1], line % problem.kernel[1]);
            gather.run(x + channel * problem.x_channel, (end - first + taps - 1) / taps, to + (first - begin) * width,
                       taps * width, column == 0);
        }
    }
}
#endif

// Panel: for the part [begin, end) of the depth, numbered over (channel, tap), `width` elements of x for consecutive
// places, of which `count` exist; 0 for those outside of x and for those that do not exist.
template <typename T>
inline void pack_panel(const Problem<T> &problem, const T *x, std::int64_t first, std::int64_t count,
                       std::int64_t width, std::int64_t begin, std::int64_t end, T *to) {
    const std::int64_t taps = problem.taps();
#if defined(__AVX512F__)
    if (Gather<T>::fits(problem, end - begin)) {
        gather_panel(problem, x, first, count, width, begin, end, to);
        return;
    }
    if (Lines<T>::fits(problem, count, width)) {
        pack_lines(problem, x, first, count, width, begin, end, to);
        return;
    }
#endif
    Row rows[kMostPlaces];
    const int row_count = rows_of(problem, first, count, rows);
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

// The elements of a channel of x [result, end) between the first and the last one that the places meet, as far as they
// lie in one plane of one image; x's columns follow each other.
template <typename T>
[[gnu::noinline]] std::int64_t footprint(const Problem<T> &problem, std::int64_t place, std::int64_t count,
                                         std::int64_t &end) {
    const std::int64_t columns = problem.out[2];
    const std::int64_t lines = problem.out[1];
    const std::int64_t image = place / problem.pixels();
    const std::int64_t plane = place / (columns * lines) % problem.out[0] * problem.stride[0] - problem.pad[0];
    const std::int64_t first = place % (columns * lines);
    const std::int64_t last = first + count < columns * lines ? first + count - 1 : columns * lines - 1;
    const std::int64_t column = first % columns * problem.stride[2] - problem.pad[2];
    const std::int64_t line = first / columns * problem.stride[1] - problem.pad[1];
    std::int64_t last_line =
        last / columns * problem.stride[1] - problem.pad[1] + (problem.kernel[1] - 1) * problem.dilation[1];
    std::int64_t last_column =
        last % columns * problem.stride[2] - problem.pad[2] + (problem.kernel[2] - 1) * problem.dilation[2];
    last_line = last_line < problem.in[1] ? last_line : problem.in[1] - 1;
    last_column = last_column < problem.in[2] ? last_column : problem.in[2] - 1;
    const std::int64_t base = image * problem.x_batch + (plane > 0 ? plane : 0) * problem.x_space[0];
    end = base + last_line * problem.x_space[1] + last_column + 1;
    return base + (line > 0 ? line : 0) * problem.x_space[1] + (column > 0 ? column : 0);
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
inline void pack_plain_of(const T *from, std::int64_t channel, std::int64_t depth, std::int64_t panels, T *to,
                          std::int64_t panel_step) {
    constexpr std::int64_t kWidth = Vectors * kLanes<T>;
    constexpr std::int64_t kAhead = 4; // channels
    for (std::int64_t k = 0; k < depth; ++k) {
        for (std::int64_t panel = 0; panel < panels; ++panel) {
            const T *row = from + k * channel + panel * kWidth;
#pragma GCC unroll 4
            for (std::int64_t v = 0; v < Vectors; ++v) {
                __builtin_prefetch(row + kAhead * channel + v * kLanes<T>);
                store(to + panel * panel_step + k * kWidth + v * kLanes<T>, load(row + v * kLanes<T>));
            }
        }
    }
}

template <typename T>
inline void pack_plain(const T *from, std::int64_t channel, std::int64_t vectors, std::int64_t depth,
                       std::int64_t panels, T *to, std::int64_t panel_step) {
    switch (vectors) {
    case 1:
        return pack_plain_of<1>(from, channel, depth, panels, to, panel_step);
    case 2:
        return pack_plain_of<2>(from, channel, depth, panels, to, panel_step);
    case 3:
        return pack_plain_of<3>(from, channel, depth, panels, to, panel_step);
    default:
        return pack_plain_of<4>(from, channel, depth, panels, to, panel_step);
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
