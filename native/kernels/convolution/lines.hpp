// SPDX-License-Identifier: Apache-2.0
//
// Rows of a panel where a kernel has several columns, which meet the same elements of a line: the line is read once,
// into a buffer that has zeros where the image ends, and parted into even and odd columns where the stride is 2. Each
// tap's row is then a part of it.
#ifndef NDK_CONVOLUTION_LINES_HPP
#define NDK_CONVOLUTION_LINES_HPP

#include "partial.hpp"
#include "problem.hpp"

namespace ndk::convolution {

#if defined(__AVX512F__)

template <typename T>
class Lines {
public:
    static bool fits(const Problem<T> &problem, std::int64_t count, std::int64_t width) {
        const std::int64_t stride = problem.stride[2];
        return problem.kernel[2] >= 3 && problem.x_space[2] == 1 && stride <= 2 &&
               width + (problem.kernel[2] - 1) * problem.dilation[2] < kLength &&
               problem.out[2] * 2 + 2 > count; // three rows at most
    }

    Lines(const Problem<T> &problem, std::int64_t first, std::int64_t count, std::int64_t width)
        : problem_(problem), vectors_(static_cast<int>(width / kLanes<T>)) {
        Row rows[kMostRows];
        row_count_ = rows_of(problem, first, count, rows);
        for (int i = 0; i < row_count_; ++i) {
            set_row(i, rows[i]);
        }
        whole_ = row_count_ == 1 && count == width;
        int found = 0;
        for (int v = 0; v < vectors_; ++v) {
            begin_[v] = found;
            for (int i = 0; i < row_count_; ++i) {
                const std::int64_t place = v * kLanes<T> - rows[i].place; // from the row's begin
                const std::int64_t lane = place < 0 ? -place : 0;
                const std::int64_t end = rows[i].count - place < kLanes<T> ? rows[i].count - place : kLanes<T>;
                if (lane < end) {
                    pieces_[found++] = {i * kStride * kRow + kLanes<T> + place, (1U << end) - (1U << lane)};
                }
            }
        }
        begin_[vectors_] = found;
    }

    // The part [begin, end) of the depth.
    void pack(const T *x, std::int64_t begin, std::int64_t end, T *to) {
        const std::int64_t columns = problem_.kernel[2];
        const std::int64_t last = (end - 1) / columns;
        fill(x, begin / columns);
        for (std::int64_t line = begin / columns; line <= last; ++line) {
            if (line < last) {
                fill(x, line + 1); // loads of what has just been written would wait for it
            }
            const std::int64_t first = line * columns < begin ? begin - line * columns : 0;
            const std::int64_t count = end - line * columns < columns ? end - line * columns : columns;
            for (std::int64_t column = first; column < count; ++column) {
                const std::int64_t offset = column * problem_.dilation[2];
                const T *from = buffer_[line % 2] + (problem_.stride[2] == 1 ? offset : offset % 2 * kRow + offset / 2);
                if (whole_) {
                    for (int v = 0; v < vectors_; ++v, to += kLanes<T>) {
                        store(to, load(from + kLanes<T> * (v + 1)));
                    }
                    continue;
                }
                for (int v = 0; v < vectors_; ++v, to += kLanes<T>) {
                    Vec<T> value{};
                    for (int i = begin_[v]; i < begin_[v + 1]; ++i) {
                        value = load_lanes(value, from + pieces_[i].from, pieces_[i].mask);
                    }
                    store(to, value);
                }
            }
        }
    }

private:
    static constexpr std::int64_t kLength = 64;                   // of the columns of one parity
    static constexpr std::int64_t kRow = kLength + 2 * kLanes<T>; // with what masked loads and whole stores pass
    static constexpr std::int64_t kStride = 2;                    // at most
    static constexpr int kMostRows = 3;
    static constexpr int kMostChunks = kStride * (kLength / kLanes<T> + 1);

    struct Piece {
        std::int64_t from;
        unsigned mask;
    };

    struct Source {
        std::int64_t from;           // of the first column, of line 0 of plane 0
        std::int64_t plane, line;    // that the first tap meets
        int chunks;                  // vectors of columns
        unsigned masks[kMostChunks]; // of them, where they are inside of x
    };

    void set_row(int index, const Row &row) {
        Source &source = sources_[index];
        const std::int64_t column = row.begin * problem_.stride[2] - problem_.pad[2];
        const std::int64_t count =
            (row.count - 1) * problem_.stride[2] + (problem_.kernel[2] - 1) * problem_.dilation[2] + 1;
        source.from = row.image * problem_.x_batch + column;
        source.plane = row.plane * problem_.stride[0] - problem_.pad[0];
        source.line = row.line * problem_.stride[1] - problem_.pad[1];
        const std::int64_t unit = problem_.stride[2] * kLanes<T>;
        source.chunks = static_cast<int>((count + unit - 1) / unit * problem_.stride[2]);
        for (int chunk = 0; chunk < source.chunks; ++chunk) {
            const std::int64_t first = column + chunk * kLanes<T>;
            const std::int64_t lane = first < 0 ? (first < -kLanes<T> ? kLanes<T> : -first) : 0;
            const std::int64_t left = problem_.in[2] - first;
            const std::int64_t end = left < kLanes<T> ? left : kLanes<T>;
            source.masks[chunk] = lane < end ? (1U << end) - (1U << lane) : 0;
        }
    }

    // Line `index` of all channels' lines of taps.
    void fill(const T *x, std::int64_t index) {
        const std::int64_t lines = problem_.kernel[0] * problem_.kernel[1];
        const std::int64_t tap = index % lines;
        const std::int64_t plane_tap = tap / problem_.kernel[1] * problem_.dilation[0];
        const std::int64_t line_tap = tap % problem_.kernel[1] * problem_.dilation[1];
        x += index / lines * problem_.x_channel;
        for (int i = 0; i < row_count_; ++i) {
            const Source &source = sources_[i];
            const std::int64_t plane = source.plane + plane_tap;
            const std::int64_t line = source.line + line_tap;
            const bool inside = plane >= 0 && plane < problem_.in[0] && line >= 0 && line < problem_.in[1];
            const T *from = x + source.from + plane * problem_.x_space[0] + line * problem_.x_space[1];
            T *to = buffer_[index % 2] + i * kStride * kRow + kLanes<T>;
            for (int chunk = 0; chunk < source.chunks; ++chunk) { // what the next line of places adds
                __builtin_prefetch(from + problem_.stride[1] * problem_.x_space[1] + chunk * kLanes<T>);
            }
            if (!inside) {
                for (int chunk = 0; chunk < source.chunks; ++chunk) {
                    const bool odd = problem_.stride[2] == 2 && chunk % 2 == 1;
                    const int at = problem_.stride[2] == 2 ? chunk / 2 : chunk;
                    store(to + (odd ? kRow : 0) + at * kLanes<T>, Vec<T>{});
                }
            } else if (problem_.stride[2] == 1) {
                for (int chunk = 0; chunk < source.chunks; ++chunk) {
                    store(to + chunk * kLanes<T>, load_lanes(Vec<T>{}, from + chunk * kLanes<T>, source.masks[chunk]));
                }
            } else {
                for (int chunk = 0; chunk < source.chunks; chunk += 2) {
                    const T *pair = from + chunk * kLanes<T>;
                    const Vec<T> low = load_lanes(Vec<T>{}, pair, source.masks[chunk]);
                    const Vec<T> high = load_lanes(Vec<T>{}, pair + kLanes<T>, source.masks[chunk + 1]);
                    store(to + chunk / 2 * kLanes<T>, evens<T>(low, high));
                    store(to + kRow + chunk / 2 * kLanes<T>, odds<T>(low, high));
                }
            }
        }
    }

    const Problem<T> &problem_;
    int vectors_;
    int row_count_;
    bool whole_; // a part of one line
    Source sources_[kMostRows];
    Piece pieces_[kMostRows + 4];
    int begin_[5];
    T buffer_[2][kMostRows * kStride * kRow]; // what masks leave out may never have been written
};

#endif // __AVX512F__

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_LINES_HPP
