// SPDX-License-Identifier: Apache-2.0
//
// Any convolution as a matrix product: y (filters x places) = w (filters x depth) x (depth x places), where the depth
// is numbered over (channel, tap) and the places over (image, pixel). Blocked as in Goto and van de Geijn (Anatomy of
// High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008).
//
// Scratch memory of a thread: a block of x, kBlockDepth x kBlockPlaces, and a block of w, kBlockFilters x kBlockDepth:
// 1.3 MiB with float, 2.6 MiB with double.
#ifndef NDK_CONVOLUTION_PRODUCT_HPP
#define NDK_CONVOLUTION_PRODUCT_HPP

#include "host.hpp"
#include "panels.hpp"
#include "tile.hpp"

namespace ndk::convolution {

inline constexpr std::int64_t kBlockDepth = 256;
inline constexpr std::int64_t kBlockPlaces = 1024;
inline constexpr std::int64_t kBlockFilters = 240; // a multiple of every tile's filters
template <typename T>
inline constexpr std::int64_t kFilterRow = kBlockDepth + 64 / static_cast<std::int64_t>(sizeof(T)); // other cache sets

template <typename T>
class Product {
public:
    explicit Product(const Problem<T> &problem)
        : problem_(problem), places_(problem.batch * problem.pixels()), depth_(problem.channels * problem.taps()),
          flat_pixels_(problem.flat_pixels()), flat_taps_(problem.flat_taps()), plain_(plain(problem)) {
        flat_depth_ = flat_taps_ && (problem.channels == 1 || problem.w_channel == problem.taps());
        // Few places: one wide panel, and the weights are read where they lie, because each is read once only.
        few_ = places_ <= kMostVectors * kLanes<T>;
        vectors_ = few_ ? kMostVectors : 2;
        block_depth_ = few_ ? kBlockDepth / 2 : kBlockDepth;
        direct_ = flat_depth_ && places_ < 128;
    }

    // Elements of scratch memory for one thread.
    std::int64_t scratch_size() const { return panel_elements() + kBlockFilters * kFilterRow<T>; }

    // How finely the work can be cut: along the places and along the filters.
    std::int64_t place_unit() const { return vectors_ * kLanes<T>; }
    std::int64_t places() const { return places_; }
    std::int64_t depth() const { return depth_; }

    // One group's part of y.
    void run(std::int64_t group, std::int64_t place, std::int64_t place_end, std::int64_t filter,
             std::int64_t filter_end, T *scratch) const {
        const std::int64_t pieces = depth_ == 0 ? 1 : (depth_ + block_depth_ - 1) / block_depth_;
        for (; place < place_end; place += kBlockPlaces) {
            const std::int64_t count = place_end - place < kBlockPlaces ? place_end - place : kBlockPlaces;
            for (std::int64_t piece = 0; piece < pieces; ++piece) {
                const Part part{group, place, count, part_begin(depth_, pieces, piece, 1),
                                part_begin(depth_, pieces, piece + 1, 1)};
                run_block(part, filter, filter_end, scratch);
            }
        }
    }

private:
    struct Part {
        std::int64_t group;
        std::int64_t place, count;
        std::int64_t begin, end; // of the depth
    };

    std::int64_t panel_elements() const {
        const std::int64_t width = place_unit();
        const std::int64_t all = (places_ + width - 1) / width * width;
        const std::int64_t most = (kBlockPlaces + width - 1) / width * width;
        return (all < most ? all : most) * kBlockDepth;
    }

    void run_block(const Part &part, std::int64_t filter, std::int64_t filter_end, T *scratch) const {
        const std::int64_t depth = part.end - part.begin;
        T *panels = scratch;
        T *filters = scratch + panel_elements();
        if (depth > 0) {
            pack_panels(part, panels);
        }
        for (; filter < filter_end; filter += kBlockFilters) {
            const std::int64_t count = filter_end - filter < kBlockFilters ? filter_end - filter : kBlockFilters;
            const T *w = problem_.w + part.group * problem_.w_group + filter * problem_.w_filter;
            Tile<T> tile{};
            tile.depth = depth;
            if (direct_) {
                tile.a = w + part.begin;
                tile.a_row = problem_.w_filter;
            } else {
                for (std::int64_t i = 0; i < count && depth > 0; ++i) {
                    const T *from = w + i * problem_.w_filter;
                    T *to = filters + i * kFilterRow<T>;
                    if (flat_depth_) {
                        copy_short(from + part.begin, to, depth);
                    } else {
                        pack_filter(problem_, from, part.begin, part.end, flat_taps_, to);
                    }
                }
                tile.a = filters;
                tile.a_row = kFilterRow<T>;
            }
            run_tiles(part, filter, count, panels, tile);
        }
    }

    void pack_panels(const Part &part, T *panels) const {
        const std::int64_t width = place_unit();
        const std::int64_t depth = part.end - part.begin;
        const T *x = problem_.x + part.group * problem_.x_group;
        const std::int64_t pixels = problem_.pixels();
        for (std::int64_t j = 0; j < part.count;) {
            const std::int64_t pixel = (part.place + j) % pixels;
            const std::int64_t left = part.count - j < pixels - pixel ? part.count - j : pixels - pixel;
            T *to = panels + j * depth;
            if (plain_ && left >= width) {
                const T *from =
                    x + part.begin * problem_.x_channel + (part.place + j) / pixels * problem_.x_batch + pixel;
                const std::int64_t count = left / width >= 4 ? 4 : 1;
                if (vectors_ == 2) {
                    (count == 4 ? pack_plain<2, 4, T> : pack_plain<2, 1, T>)(from, problem_.x_channel, depth, to);
                } else {
                    pack_plain<kMostVectors, 1>(from, problem_.x_channel, depth, to);
                }
                j += (vectors_ == 2 ? count : 1) * width;
                continue;
            }
            const std::int64_t count = part.count - j < width ? part.count - j : width;
            pack_panel(problem_, x, part.place + j, count, width, part.begin, part.end, to);
            j += width;
        }
    }

    void run_tiles(const Part &part, std::int64_t filter, std::int64_t filters, const T *panels, Tile<T> &tile) const {
        const std::int64_t width = place_unit();
        const T *a = tile.a;
        tile.b_row = width;
        for (std::int64_t j = 0; j < part.count; j += width) {
            const std::int64_t count = part.count - j < width ? part.count - j : width;
            const std::int64_t vectors = (count + kLanes<T> - 1) / kLanes<T>;
            const std::int64_t height = tile_filters(static_cast<int>(vectors));
            tile.b = panels + j * tile.depth;
            tile.last = count - (vectors - 1) * kLanes<T>;
            const Target target(*this, part.place + j, count);
            for (std::int64_t i = 0; i < filters; i += height) {
                const std::int64_t rows = filters - i < height ? filters - i : height;
                T start[kMostFilters];
                for (std::int64_t row = 0; row < rows; ++row) {
                    start[row] = problem_.bias_of(part.group, filter + i + row);
                }
                tile.start = part.begin == 0 ? start : nullptr;
                tile.a = a + i * tile.a_row;
                T *y = problem_.y + part.group * problem_.y_group + (filter + i) * problem_.y_filter;
                target.run(kMultiplies<T>[vectors - 1].by_filters[rows - 1], tile, y, rows);
            }
        }
    }

    // Where the places of one panel lie in y.
    class Target {
    public:
        Target(const Product &product, std::int64_t place, std::int64_t count) : problem_(product.problem_) {
            const std::int64_t pixels = problem_.pixels();
            const std::int64_t pixel = place % pixels;
            direct_ = product.flat_pixels_ && pixel + count <= pixels;
            if (direct_) {
                offset_ = place / pixels * problem_.y_batch + pixel;
                return;
            }
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
            if (direct_) {
                tile.c = y + offset_;
                tile.c_row = problem_.y_filter;
                multiply(tile);
                return;
            }
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
        bool direct_;
        std::int64_t offset_ = 0;
        Run runs_[kMostPlaces];
        int run_count_ = 0;
    };

    const Problem<T> &problem_;
    std::int64_t places_;
    std::int64_t depth_;
    bool flat_pixels_;
    bool flat_taps_;
    bool flat_depth_;
    bool plain_;
    bool few_;
    bool direct_;
    std::int64_t vectors_;
    std::int64_t block_depth_;
};

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_PRODUCT_HPP
