// SPDX-License-Identifier: Apache-2.0
//
// The results of a tile whose places do not follow each other in memory.
#ifndef NDK_CONVOLUTION_TARGET_HPP
#define NDK_CONVOLUTION_TARGET_HPP

#include "panels.hpp"
#include "tile.hpp"

namespace ndk::convolution {

// Where the places of one panel lie in y, if not one after the other.
template <typename T>
class Target {
public:
    Target(const Problem<T> &problem, std::int64_t place, std::int64_t count) : problem_(problem) {
        Row rows[kMostPlaces];
        const int found = rows_of(problem_, place, count, rows);
        for (int i = 0; i < found; ++i) {
            const Row &row = rows[i];
            const std::int64_t to = row.image * problem_.y_batch + row.plane * problem_.y_space[0] +
                                    row.line * problem_.y_space[1] + row.begin * problem_.y_space[2];
            if (run_count_ > 0 && problem_.y_space[2] == 1 &&
                runs_[run_count_ - 1].to + runs_[run_count_ - 1].count == to) {
                runs_[run_count_ - 1].count += row.count;
            } else {
                runs_[run_count_++] = {row.place, to, row.count};
            }
        }
    }

    void run(Multiply<T> multiply, Tile<T> &tile, T *y, std::int64_t rows) const {
        constexpr std::int64_t kRow = kMostVectors * kLanes<T>;
        alignas(kVectorBytes) T buffer[kMostFilters * kRow];
        const std::int64_t step = problem_.y_space[2];
        tile.c = buffer;
        tile.c_row = kRow;
        for (std::int64_t row = 0; row < rows && tile.start == nullptr; ++row) {
            for (int i = 0; i < run_count_; ++i) {
                const T *from = y + row * problem_.y_filter + runs_[i].to;
                copy_spread(from, step, buffer + row * kRow + runs_[i].from, runs_[i].count);
            }
        }
        multiply(tile);
        for (std::int64_t row = 0; row < rows; ++row) {
            for (int i = 0; i < run_count_; ++i) {
                T *to = y + row * problem_.y_filter + runs_[i].to;
                const T *from = buffer + row * kRow + runs_[i].from;
                if (step == 1) {
                    copy_short(from, to, runs_[i].count);
                    continue;
                }
                for (std::int64_t place = 0; place < runs_[i].count; ++place) {
                    to[place * step] = from[place];
                }
            }
        }
    }

private:
    const Problem<T> &problem_;
    Run runs_[kMostPlaces];
    int run_count_ = 0;
};

// The sums of `count` places from `place` on, for `filters` filters: start or what y has is added.
template <typename T>
[[gnu::noinline]] void write_dots(const Problem<T> &problem, std::int64_t place, std::int64_t count,
                                  std::int64_t filters, const T *sums, std::int64_t sums_row, const T *start, T *y) {
    Row rows[kLanes<T>];
    const int found = rows_of(problem, place, count, rows);
    for (int i = 0; i < found; ++i) {
        const Row &row = rows[i];
        T *line = y + row.image * problem.y_batch + row.plane * problem.y_space[0] + row.line * problem.y_space[1] +
                  row.begin * problem.y_space[2];
        for (std::int64_t j = 0; j < row.count; ++j) {
            for (std::int64_t filter = 0; filter < filters; ++filter) {
                T *to = line + j * problem.y_space[2] + filter * problem.y_filter;
                *to = sums[filter * sums_row + row.place + j] + (start == nullptr ? *to : start[filter]);
            }
        }
    }
}

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_TARGET_HPP
