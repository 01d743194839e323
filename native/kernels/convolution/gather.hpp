// SPDX-License-Identifier: Apache-2.0
//
// Rows of a panel by loads with masks, where the machine has them: what a vector takes from several lines of an image
// comes together in a register, zeros included, and is stored once.
#ifndef NDK_CONVOLUTION_GATHER_HPP
#define NDK_CONVOLUTION_GATHER_HPP

#include "partial.hpp"
#include "problem.hpp"

namespace ndk::convolution {

inline constexpr int kMostPlaces = 64; // in a panel: four vectors of 16

#if defined(__AVX512F__)

template <typename T>
class Gather {
public:
    // Whether a part of the depth is served, and has enough channels to be worth a plan for each tap.
    static bool fits(const Problem<T> &problem, std::int64_t depth) {
        const std::int64_t step = problem.stride[2] * problem.x_space[2];
        return (step == 1 || step == 2) && depth >= 8 * problem.taps();
    }

    Gather(const Problem<T> &problem, std::int64_t first, std::int64_t count, std::int64_t width)
        : problem_(problem), row_count_(rows_of(problem, first, count, rows_)),
          step_(static_cast<int>(problem.stride[2] * problem.x_space[2])),
          pieces_(static_cast<int>(width / kLanes<T>) * step_) {}

    // Chooses the tap's column.
    void set_column(std::int64_t tap) {
        found_ = 0;
        for (int piece = 0; piece < pieces_; ++piece) {
            begin_[piece] = found_;
            for (int row = 0; row < row_count_; ++row) {
                add(piece, row, tap * problem_.dilation[2] - problem_.pad[2]);
            }
        }
        begin_[pieces_] = found_;
    }

    // Chooses its plane and line.
    void set_line(std::int64_t plane_tap, std::int64_t line_tap) {
        int used = 0;
        const std::int64_t plane_offset = plane_tap * problem_.dilation[0] - problem_.pad[0];
        const std::int64_t line_offset = line_tap * problem_.dilation[1] - problem_.pad[1];
        for (int piece = 0; piece < pieces_; ++piece) {
            used_begin_[piece] = used;
            for (int i = begin_[piece]; i < begin_[piece + 1]; ++i) {
                const Row &row = rows_[loads_[i].row];
                const std::int64_t plane = row.plane * problem_.stride[0] + plane_offset;
                const std::int64_t line = row.line * problem_.stride[1] + line_offset;
                if (plane >= 0 && plane < problem_.in[0] && line >= 0 && line < problem_.in[1]) {
                    used_[used] = loads_[i];
                    used_[used++].from += plane * problem_.x_space[0] + line * problem_.x_space[1];
                }
            }
        }
        used_begin_[pieces_] = used;
    }

    // The row of every channel, from x and to `to` on. With `fetch`, the lines of later channels, which lie on other
    // pages, are on their way.
    void run(const T *x, std::int64_t channels, T *to, std::int64_t to_channel, bool fetch) const {
        constexpr std::int64_t kAhead = 8;
        for (; channels > 0; --channels, x += problem_.x_channel, to += to_channel) {
            for (int i = 0; fetch && i < used_begin_[pieces_]; ++i) {
                __builtin_prefetch(x + kAhead * problem_.x_channel + used_[i].from);
            }
            if (step_ == 1) {
                for (int piece = 0; piece < pieces_; ++piece) {
                    store(to + piece * kLanes<T>, gathered(piece, x));
                }
            } else {
                for (int piece = 0; piece < pieces_; piece += 2) {
                    store(to + piece / 2 * kLanes<T>, evens<T>(gathered(piece, x), gathered(piece + 1, x)));
                }
            }
        }
    }

private:
    struct Load {
        std::int64_t from; // of the first lane, also where that is not loaded
        unsigned mask;
        int row;
    };

    // What one of rows_ gives to a vector, or to half of one: the one with its even lanes.
    void add(int piece, int index, std::int64_t offset) {
        const Row &row = rows_[index];
        const std::int64_t stride = problem_.stride[2];
        const std::int64_t lanes = kLanes<T> / step_;
        const std::int64_t place = piece * lanes - row.place; // from the row's begin
        const std::int64_t column = (row.begin + place) * stride + offset;
        std::int64_t lane = place < 0 ? -place : 0;
        std::int64_t end = row.count - place < lanes ? row.count - place : lanes;
        while (lane < end && column + lane * stride < 0) {
            ++lane;
        }
        while (lane < end && column + (end - 1) * stride >= problem_.in[2]) {
            --end;
        }
        if (lane < end) {
            unsigned mask = (1U << end) - (1U << lane);
            mask = step_ == 1 ? mask : _pdep_u32(mask, 0x5555);
            loads_[found_++] = {row.image * problem_.x_batch + column * problem_.x_space[2], mask, index};
        }
    }

    [[gnu::always_inline]] Vec<T> gathered(int piece, const T *x) const {
        Vec<T> value{};
        for (int i = used_begin_[piece]; i < used_begin_[piece + 1]; ++i) {
            value = load_lanes(value, x + used_[i].from, used_[i].mask);
        }
        return value;
    }

    static constexpr int kMostPieces = 8;
    static constexpr int kMostLoads = kMostPlaces + kMostPieces; // a row that two pieces share counts twice

    const Problem<T> &problem_;
    Row rows_[kMostPlaces];
    int row_count_;
    int step_;
    int pieces_; // vectors, or with steps of 2 halves of them
    int found_ = 0;
    Load loads_[kMostLoads];
    Load used_[kMostLoads];
    int begin_[kMostPieces + 1];
    int used_begin_[kMostPieces + 1];
};

#endif // __AVX512F__

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_GATHER_HPP
