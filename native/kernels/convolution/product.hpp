// SPDX-License-Identifier: Apache-2.0
//
// Any convolution as a matrix product: y (filters x places) = w (filters x depth) x (depth x places), where the depth
// is numbered over (channel, tap) and the places over (image, pixel). Blocked as in Goto and van de Geijn (Anatomy of
// High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008).
//
// Scratch memory of a thread: a block of x, at most kBlockDepth x kBlockPlaces, and a block of w, kBlockFilters x
// kFilterRow: 0.8 MiB with float, 1.5 MiB with double.
#ifndef NDK_CONVOLUTION_PRODUCT_HPP
#define NDK_CONVOLUTION_PRODUCT_HPP

#include "host.hpp"
#include "panels.hpp"
#include "tile.hpp"
#include "views.hpp"

namespace ndk::convolution {

inline constexpr std::int64_t kBlockDepth = 256;
inline constexpr std::int64_t kShortDepth = 160;
inline constexpr std::int64_t kFewDepth = 512; // where one panel holds all places
inline constexpr std::int64_t kBlockPlaces = 256;
inline constexpr std::int64_t kBlockFilters = 240; // a multiple of every tile's filters
template <typename T>
inline constexpr std::int64_t kFilterRow = kFewDepth + 64 / static_cast<std::int64_t>(sizeof(T)); // other cache sets

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
        block_depth_ = few_ ? kFewDepth : kBlockDepth;
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
        const std::int64_t blocks = (place_end - place + kBlockPlaces - 1) / kBlockPlaces;
        const auto part_at = [&](std::int64_t index) {
            const std::int64_t first = place + index / pieces * kBlockPlaces;
            const std::int64_t count = place_end - first < kBlockPlaces ? place_end - first : kBlockPlaces;
            return Part{group, first, count, part_begin(depth_, pieces, index % pieces, 1),
                        part_begin(depth_, pieces, index % pieces + 1, 1)};
        };
        for (std::int64_t index = 0; index < blocks * pieces; ++index) {
            const Part part = part_at(index);
            const Part next = part_at(index + 1 < blocks * pieces ? index + 1 : index);
            run_block(part, index + 1 < blocks * pieces ? &next : nullptr, filter, filter_end, scratch);
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
        return (all < most ? all : most) * block_depth_;
    }

    void run_block(const Part &part, const Part *next, std::int64_t filter, std::int64_t filter_end, T *scratch) const {
        const std::int64_t depth = part.end - part.begin;
        T *panels = scratch;
        T *filters = scratch + panel_elements();
        pack_panels(part, panels);
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
            run_tiles(part, filter, count, next, panels, tile);
            next = nullptr;
        }
    }

    // How many whole panels from place j of a part on lie in x as they are, and where.
    std::int64_t plain_panels(const Part &part, std::int64_t j, const T *&from) const {
        const std::int64_t pixels = problem_.pixels();
        const std::int64_t pixel = (part.place + j) % pixels;
        const std::int64_t left = part.count - j < pixels - pixel ? part.count - j : pixels - pixel;
        from = problem_.x + part.group * problem_.x_group + part.begin * problem_.x_channel +
               (part.place + j) / pixels * problem_.x_batch + pixel;
        return plain_ ? left / place_unit() : 0;
    }

    void pack_panels(const Part &part, T *panels) const {
        const std::int64_t width = place_unit();
        const std::int64_t depth = part.end - part.begin;
        const T *x = problem_.x + part.group * problem_.x_group;
        for (std::int64_t j = 0; j < part.count && depth > 0;) {
            T *to = panels + j * depth;
            const T *from = nullptr;
            if (const std::int64_t plain = plain_panels(part, j, from); plain > 0) {
                (few_ ? pack_plain<kMostVectors, T> : pack_plain<2, T>)(from, problem_.x_channel, depth, plain, to);
                j += plain * width;
                continue;
            }
            const std::int64_t count = part.count - j < width ? part.count - j : width;
            pack_panel(problem_, x, part.place + j, count, width, part.begin, part.end, to);
            j += width;
        }
    }

    // A panel after the other, which stays in the L1 cache; or where sums are short, so that writing them counts, a row
    // of tiles after the other: each filter's places are written in their order, which the machine foresees.
    void run_tiles(const Part &part, std::int64_t filter, std::int64_t filters, const Part *next, T *panels,
                   Tile<T> &tile) const {
        const std::int64_t width = place_unit();
        const std::int64_t most_vectors = (part.count < width ? part.count + kLanes<T> - 1 : width) / kLanes<T>;
        const std::int64_t height = tile_filters(static_cast<int>(most_vectors));
        const std::int64_t across = (part.count + width - 1) / width;
        const std::int64_t down = (filters + height - 1) / height;
        const bool by_rows = tile.depth <= kShortDepth;
        const T *a = tile.a;
        T start[kMostFilters] = {};
        tile.start = part.begin == 0 ? start : nullptr;
        for (std::int64_t index = 0; index < across * down; ++index) {
            const std::int64_t i = (by_rows ? index / across : index % down) * height;
            const std::int64_t j = (by_rows ? index % across : index / down) * width;
            const std::int64_t rows = filters - i < height ? filters - i : height;
            for (std::int64_t row = 0; row < rows && problem_.bias != nullptr; ++row) {
                start[row] = problem_.bias_of(part.group, filter + i + row);
            }
            tile.a = a + i * tile.a_row;
            T *y = problem_.y + part.group * problem_.y_group + (filter + i) * problem_.y_filter;
            const std::int64_t count = part.count - j < width ? part.count - j : width;
            const std::int64_t vectors = (count + kLanes<T> - 1) / kLanes<T>;
            tile.last = count - (vectors - 1) * kLanes<T>;
            tile.b = panels + j * tile.depth;
            tile.b_row = width;
            Multiply<T> multiply = kMultiplies<T>[vectors - 1].by_filters[rows - 1];
            const T *ahead = nullptr;
            if (direct_ && vectors == kMostVectors && rows == height) {
                // The next tile's weights: a line of one row after the other.
                multiply = kMultiplyWideAndFetch<T>;
                tile.ahead = {tile.a + (i + 2 * height <= filters ? height * tile.a_row : 0), tile.a_row,
                              height * tile.a_row, 64 / static_cast<std::int64_t>(sizeof(T)) - height * tile.a_row};
            } else if (next != nullptr && i < 2 * height && rows == height && vectors == 2 && !few_ &&
                       j < next->count && plain_panels(*next, j, ahead) > 0) {
                // A vector of each row of the panel that will be packed in place of this one.
                multiply = kMultiplyAndFetch<T>;
                tile.ahead = {ahead + (i == 0 ? 0 : kLanes<T>), problem_.x_channel,
                              tile.depth * magnitude(problem_.x_channel) + 1, 0};
            }
            const std::int64_t pixels = problem_.pixels();
            const std::int64_t pixel = (part.place + j) % pixels;
            if (flat_pixels_ && pixel + count <= pixels) {
                tile.c = y + (part.place + j) / pixels * problem_.y_batch + pixel;
                tile.c_row = problem_.y_filter;
                multiply(tile);
            } else {
                Target(problem_, part.place + j, count).run(multiply, tile, y, rows);
            }
        }
    }

    // Where the places of one panel lie in y, if not one after the other.
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
