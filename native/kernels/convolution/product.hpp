// SPDX-License-Identifier: Apache-2.0
//
// Any convolution as a matrix product: y (filters x places) = w (filters x depth) x (depth x places), where the depth
// is numbered over (channel, tap) and the places over (image, pixel). Blocked as in Goto and van de Geijn (Anatomy of
// High-Performance Matrix Multiplication, ACM TOMS 34(3), 2008).
//
// Scratch memory of a thread: a block of x, at most kBlockDepth x kBlockPlaces and the dots of each panel, one vector
// of places more, and a block of w, kBlockFilters x kFilterRow: 0.9 MiB with float, 1.7 MiB with double.
#ifndef NDK_CONVOLUTION_PRODUCT_HPP
#define NDK_CONVOLUTION_PRODUCT_HPP

#include "host.hpp"
#include "layout.hpp"
#include "panels.hpp"
#include "target.hpp"
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
    static constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(T));

public:
    explicit Product(const Problem<T> &problem)
        : problem_(problem), layout_(problem), places_(problem.batch * problem.pixels()),
          depth_(problem.channels * problem.taps()), flat_pixels_(problem.flat_pixels()),
          flat_taps_(problem.flat_taps()), plain_(plain(problem)) {
        flat_depth_ = flat_taps_ && (problem.channels == 1 || problem.w_channel == problem.taps());
        // Few places: one wide panel, and the weights are read where they lie, because each is read once only. So are
        // weights whose rows lie in enough different cache sets.
        block_depth_ = layout_.few() ? kFewDepth : kBlockDepth;
        block_panels_ = layout_.few() ? 1 : kBlockPlaces / layout_.width();
        block_panels_ = block_panels_ < layout_.panels() ? block_panels_ : layout_.panels();
        direct_ = flat_depth_ && (places_ < 128 || problem.w_filter * static_cast<std::int64_t>(sizeof(T)) % 2048 != 0);
    }

    // Elements of scratch memory for one thread.
    std::int64_t scratch_size() const { return panel_elements() + rest_elements() + kBlockFilters * kFilterRow<T>; }

    // How finely the work can be cut: along the places and along the filters.
    std::int64_t panels() const { return layout_.panels(); }
    std::int64_t places() const { return places_; }
    std::int64_t depth() const { return depth_; }

    // One group's part of y.
    void run(std::int64_t group, std::int64_t panel, std::int64_t panel_end, std::int64_t filter,
             std::int64_t filter_end, T *scratch) const {
        const std::int64_t pieces = depth_ == 0 ? 1 : (depth_ + block_depth_ - 1) / block_depth_;
        const std::int64_t blocks = (panel_end - panel + block_panels_ - 1) / block_panels_;
        const auto part_at = [&](std::int64_t index) {
            const std::int64_t first = panel + index / pieces * block_panels_;
            const std::int64_t count = panel_end - first < block_panels_ ? panel_end - first : block_panels_;
            return Part{group, first, count, part_begin(depth_, pieces, index % pieces, 1),
                        part_begin(depth_, pieces, index % pieces + 1, 1)};
        };
        for (std::int64_t index = 0; index < blocks * pieces; ++index) {
            const Part part = part_at(index);
            const Part next = part_at(index + 1 < blocks * pieces ? index + 1 : index);
            run_block(part, next, filter, filter_end, scratch);
        }
    }

private:
    struct Part {
        std::int64_t group;
        std::int64_t panel, count; // of panels
        std::int64_t begin, end;   // of the depth
    };

    // A panel is depth x width and, place after place, dots x depth.
    std::int64_t panel_step(std::int64_t depth) const { return (layout_.width() + layout_.dots()) * depth; }
    std::int64_t panel_elements() const { return block_panels_ * panel_step(block_depth_); }
    std::int64_t rest_elements() const { return layout_.dots() > 0 ? kLanes<T> * block_depth_ : 0; }

    // `next` is what comes afterwards, or the part itself.
    void run_block(const Part &part, const Part &next, std::int64_t filter, std::int64_t filter_end, T *scratch) const {
        const std::int64_t depth = part.end - part.begin;
        T *panels = scratch;
        T *filters = scratch + panel_elements() + rest_elements();
        if (!packs_late(depth)) {
            pack_panels(part, panels, scratch + panel_elements());
        }
        bool first = true;
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
                        for (std::int64_t line = 0; line < depth; line += kLine) {
                            __builtin_prefetch(from + 2 * problem_.w_filter + part.begin + line);
                        }
                        copy_short(from + part.begin, to, depth);
                    } else {
                        pack_filter(problem_, from, part.begin, part.end, flat_taps_, to);
                    }
                }
                tile.a = filters;
                tile.a_row = kFilterRow<T>;
            }
            run_tiles(part, filter, count, first ? &next : nullptr, panels, scratch + panel_elements(), tile);
            first = false;
        }
    }

    // How many whole panels from one on lie in x as they are, and where.
    std::int64_t plain_panels(const Part &part, std::int64_t panel, std::int64_t panel_end, const T *&from) const {
        if (!plain_ || layout_.width() == 0) {
            return 0;
        }
        const std::int64_t place = layout_.panel(panel).place;
        const std::int64_t pixels = problem_.pixels();
        from = problem_.x + part.group * problem_.x_group + part.begin * problem_.x_channel +
               place / pixels * problem_.x_batch + place % pixels;
        std::int64_t left = pixels - place % pixels;
        std::int64_t count = 0;
        for (; panel < panel_end && left >= layout_.width(); ++panel, ++count, left -= layout_.width()) {
            const Panel next = layout_.panel(panel);
            if (next.count < layout_.width()) {
                break;
            }
            if (next.dots > 0) {
                return count + 1;
            }
        }
        return count;
    }

    void pack_panels(const Part &part, T *panels, T *rest) const {
        const std::int64_t width = layout_.width();
        const std::int64_t depth = part.end - part.begin;
        const T *x = problem_.x + part.group * problem_.x_group;
        const std::int64_t end = part.panel + part.count;
        T *to = panels;
        for (std::int64_t index = part.panel; index < end && depth > 0;) {
            const T *from = nullptr;
            std::int64_t done = plain_panels(part, index, end, from);
            if (done > 0) {
                pack_plain(from, problem_.x_channel, layout_.vectors(), depth, done, to, panel_step(depth));
            } else if (const Panel panel = layout_.panel(index); panel.count > 0) {
                pack_panel(problem_, x, panel.place, panel.count, width, part.begin, part.end, to);
            }
            index += done > 0 ? done : 1;
            to += (done > 0 ? done : 1) * panel_step(depth);
            if (const Panel last = layout_.panel(index - 1); last.dots > 0) {
                pack_panel(problem_, x, last.place + last.count, last.dots, kLanes<T>, part.begin, part.end, rest);
                T *dots = to - last.dots * depth;
                for (std::int64_t k = 0; k < depth; ++k) {
                    for (std::int64_t dot = 0; dot < last.dots; ++dot) {
                        dots[dot * depth + k] = rest[k * kLanes<T> + dot];
                    }
                }
            }
        }
    }

    // Where writing does not count, a panel that is not a part of a matrix is packed right before its tiles: what it
    // needs has been fetched by those of the one before, and fits the L2 cache.
    bool packs_late(std::int64_t depth) const { return !plain_ && !by_rows(depth); }
    static bool by_rows(std::int64_t depth) { return depth <= kShortDepth; }

    // The memory that a panel is packed from: as many lines of each channel.
    struct Source {
        const T *from = nullptr;
        std::int64_t lines = 0;
    };

    Source source(const Part &part, std::int64_t index) const {
        Source found;
        if (plain_panels(part, index, index + 1, found.from) > 0) {
            found.lines = layout_.vectors();
        } else if (part.begin < part.end && !plain_ && problem_.x_space[2] == 1 && problem_.x_space[1] > 0) {
            const Panel panel = layout_.panel(index);
            const T *x = problem_.x + part.group * problem_.x_group + part.begin / problem_.taps() * problem_.x_channel;
            std::int64_t end = 0;
            const std::int64_t begin = footprint(problem_, panel.place, panel.count + panel.dots, end);
            found = {x + begin, (end - begin + kLine - 1) / kLine};
        }
        return found;
    }

    // A panel after the other, which stays in the L1 cache; or where sums are short, so that writing them counts, a row
    // of tiles after the other: each filter's places are written in their order, which the machine foresees.
    void run_tiles(const Part &part, std::int64_t filter, std::int64_t filters, const Part *next, T *panels, T *rest,
                   Tile<T> &tile) const {
        const std::int64_t width = layout_.width();
        const std::int64_t most =
            layout_.vectors() > 0 ? tile_filters(static_cast<int>(layout_.vectors())) : kMostFilters;
        const std::int64_t across = part.count;
        const std::int64_t down = (filters + most - 1) / most;
        // A last tile of a few rows would wait for its sums; only whole ones fetch.
        const std::int64_t height = packs_late(tile.depth) || plain_ ? most : (filters + down - 1) / down;
        const bool rows_first = by_rows(tile.depth);
        const bool late = packs_late(tile.depth);
        const std::int64_t taps = problem_.taps();
        Source ahead;
        const T *a = tile.a;
        T start[kMostFilters] = {};
        tile.start = part.begin == 0 ? start : nullptr;
        for (std::int64_t index = 0; index < across * down; ++index) {
            const std::int64_t i = (rows_first ? index / across : index % down) * height;
            const std::int64_t j = rows_first ? index % across : index / down;
            const std::int64_t rows = filters - i < height ? filters - i : height;
            for (std::int64_t row = 0; row < rows && problem_.bias != nullptr; ++row) {
                start[row] = problem_.bias_of(part.group, filter + i + row);
            }
            if (next != nullptr && (i == 0 || (rows_first && plain_))) {
                if (late) {
                    pack_panels(Part{part.group, part.panel + j, 1, part.begin, part.end},
                                panels + j * panel_step(tile.depth), rest);
                }
                ahead = {};
                if (late && j + 1 < across) {
                    ahead = source(part, part.panel + j + 1);
                } else if (!layout_.few() && (late || j < next->count)) {
                    ahead = source(*next, next->panel + (late ? 0 : j));
                }
            }
            const Panel panel = layout_.panel(part.panel + j);
            const std::int64_t count = panel.count;
            const std::int64_t vectors = (count + kLanes<T> - 1) / kLanes<T>;
            tile.a = a + i * tile.a_row;
            tile.b = panels + j * panel_step(tile.depth);
            T *y = problem_.y + part.group * problem_.y_group + (filter + i) * problem_.y_filter;
            if (panel.dots > 0) {
                run_dots(panel, rows, tile, y);
            }
            if (count == 0) {
                continue;
            }
            tile.last = count - (vectors - 1) * kLanes<T>;
            tile.b_row = width;
            Multiply<T> multiply = kMultiplies<T>[vectors - 1].by_filters[rows - 1];
            if (direct_ && vectors > 2 && rows == most && height == most) {
                // The next tile's weights: a line of one row after the other.
                multiply = kMultiplyAndFetch<T>[vectors - 1];
                tile.ahead = {tile.a + (i + 2 * height <= filters ? height * tile.a_row : 0), tile.a_row,
                              height * tile.a_row, kLine - height * tile.a_row};
            } else if (i / height * taps < ahead.lines && rows == most && vectors >= 2 &&
                       vectors == layout_.vectors()) {
                // Of the panel to be packed next, a line for each row of the panel.
                const std::int64_t step = problem_.x_channel;
                const std::int64_t channels = (tile.depth + taps - 1) / taps;
                multiply = kMultiplyAndFetch<T>[vectors - 1];
                tile.ahead = {ahead.from + i / height * taps * kLine, step, channels * step, kLine - channels * step};
            }
            const std::int64_t pixels = problem_.pixels();
            const std::int64_t pixel = panel.place % pixels;
            if (flat_pixels_ && pixel + count <= pixels) {
                tile.c = y + panel.place / pixels * problem_.y_batch + pixel;
                tile.c_row = problem_.y_filter;
                multiply(tile);
            } else {
                Target<T>(problem_, panel.place, count).run(multiply, tile, y, rows);
            }
        }
    }

    void run_dots(const Panel &panel, std::int64_t filters, const Tile<T> &tile, T *y) const {
        constexpr std::int64_t kRow = kLanes<T>;
        T sums[kMostFilters * kRow];
        multiply_dots(filters, panel.dots, tile.a, tile.a_row, tile.b + layout_.width() * tile.depth, tile.depth, sums,
                      kRow);
        write_dots(problem_, panel.place + panel.count, panel.dots, filters, sums, kRow, tile.start, y);
    }

    const Problem<T> &problem_;
    Layout<T> layout_;
    std::int64_t places_;
    std::int64_t depth_;
    bool flat_pixels_;
    bool flat_taps_;
    bool flat_depth_;
    bool plain_;
    bool direct_;
    std::int64_t block_depth_;
    std::int64_t block_panels_;
};

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_PRODUCT_HPP
