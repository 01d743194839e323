// SPDX-License-Identifier: Apache-2.0
//
// Pooling of images whose rows lie together (channels first): separable. All rows of a window are first reduced to one
// line, a vector of columns at a time, and then the windows of that line to one row of the result. The line carries
// its padding, so no window has to be cut at a border. The most usual windows need no line: pooling/direct.hpp.
#ifndef NDK_POOLING_ROWS_HPP
#define NDK_POOLING_ROWS_HPP

#include "pooling/direct.hpp"
#include "pooling/geometry.hpp"
#include "pooling/line.hpp"

namespace ndk {

inline std::int64_t round_up(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit * unit; }

template <typename T, typename Op>
class RowPooling {
public:
    [[gnu::noinline]] RowPooling(const Pool &pool, const Windows &windows, const Image &x, const Image &out)
        : pool_(pool), windows_(windows), x_(x), out_(out), direct_(pool, x, out),
          whole_(whole_windows(pool, 1, x.extent[kHeight], out.extent[kHeight])), width_(x.extent[kWidth]),
          columns_(out.extent[kWidth]), stride_(pool.adaptive ? 0 : pool.stride[2]), padding_(pool.padding[2]) {
        result_size_ = round_up(columns_, kLanes<T>);
        if (direct_.fits()) {
            return;
        }
        // No tap reaches further than the image and its padding.
        const std::int64_t reach = (width_ + padding_ - 1) / pool.dilation[2] + 1;
        taps_ = pool.kernel[2] < reach ? pool.kernel[2] : reach;
        const std::int64_t image = padding_ + width_ + kLanes<T>;
        const std::int64_t slides =
            stride_ > 2 ? 0 : (round_up(columns_, kLanes<T>) + kLanes<T>)*stride_ + (taps_ - 1) * pool.dilation[2];
        line_size_ = round_up(image > slides ? image : slides, kLanes<T>);
        row_size_ = x.stride[kWidth] == kItem ? 0 : 4 * round_up(width_, kLanes<T>);
    }

    // Elements of scratch that a thread needs: about one padded row of x and two of the result; five of x where its
    // rows do not lie together.
    std::int64_t scratch_size() const { return line_size_ + row_size_ + 2 * result_size_; }

    std::int64_t rows() const { return out_.planes() * out_.extent[kDepth] * out_.extent[kHeight]; }

    // Rows [begin, end) of the result, numbered in the order batch, channel, depth, height
    void run(std::int64_t begin, std::int64_t end, T *scratch) const {
        T *line = scratch;
        for (std::int64_t i = 0; i < line_size_; ++i) {
            line[i] = Op::template kNeutral<T>;
        }
        Lines lines = {line, line + line_size_, nullptr, nullptr, 0};
        lines.scale = lines.copies + row_size_;
        lines.result = lines.scale + result_size_;
        const std::int64_t height = out_.extent[kHeight];
        const std::int64_t depth = out_.extent[kDepth];
        std::int64_t y = begin % height;
        std::int64_t z = begin / height % depth;
        std::int64_t c = begin / height / depth % out_.extent[kChannel];
        std::int64_t n = begin / height / depth / out_.extent[kChannel];
        for (std::int64_t row = begin; row < end;) {
            const std::int64_t until = height - y < end - row ? height : y + end - row;
            const char *from = x_.data + x_.offset(n, c);
            char *to = out_.data + out_.offset(n, c) + z * out_.stride[kDepth];
            row += until - y;
            while (y < until) {
                y += direct_.fits() ? directly(from, z, y, until, to, lines) : by_line(from, z, y, to, lines);
            }
            if (y == height) {
                y = 0;
                if (++z == depth) {
                    z = 0;
                    if (++c == out_.extent[kChannel]) {
                        c = 0;
                        ++n;
                    }
                }
            }
        }
    }

private:
    static constexpr std::int64_t kItem = sizeof(T);

    // A thread's scratch
    struct Lines {
        T *line;
        T *copies;
        T *scale;
        T *result;
        std::int64_t scaled_for;
    };

    // Some of the rows [y, until) of a plane, which begins at `from` and goes to `to`; answers how many.
    std::int64_t directly(const char *from, std::int64_t z, std::int64_t y, std::int64_t until, char *to,
                          Lines &lines) const {
        const Window &depth = windows_[0][z];
        const Window &height = windows_[1][y];
        const bool whole = y >= whole_.begin && y < whole_.end;
        const std::int64_t rows = !whole ? 1 : (until < whole_.end ? until : whole_.end) - y;
        fill_scale(depth.divisor * height.divisor, lines);
        direct_.run({from + depth.begin * x_.stride[kDepth] + height.begin * x_.stride[kHeight],
                     pool_.stride[1] * x_.stride[kHeight], to + y * out_.stride[kHeight], out_.stride[kHeight], rows,
                     depth.count, x_.stride[kDepth], height.count, x_.stride[kHeight], lines.scale});
        return rows;
    }

    std::int64_t by_line(const char *from, std::int64_t z, std::int64_t y, char *to, Lines &lines) const {
        const Window &depth = windows_[0][z];
        const Window &height = windows_[1][y];
        reduce_to_line(from, depth, height, lines.line + padding_, lines.copies);
        fill_scale(depth.divisor * height.divisor, lines);
        to += y * out_.stride[kHeight];
        if (out_.stride[kWidth] == kItem) {
            reduce_line(lines.line, lines.scale, reinterpret_cast<T *>(to));
        } else {
            reduce_line(lines.line, lines.scale, lines.result);
            scatter(lines.result, to, out_.stride[kWidth], columns_);
        }
        return 1;
    }

    void reduce_to_line(const char *plane, const Window &in_depth, const Window &in_height, T *line, T *copies) const {
        const T *rows[4];
        int held = 0;
        bool first = true;
        for (std::int64_t d = 0; d < in_depth.count; ++d) {
            const char *from = plane + (in_depth.begin + d * pool_.dilation[0]) * x_.stride[kDepth] +
                               in_height.begin * x_.stride[kHeight];
            for (std::int64_t h = 0; h < in_height.count; ++h) {
                const char *row = from + h * pool_.dilation[1] * x_.stride[kHeight];
                if (row_size_ == 0) {
                    rows[held] = reinterpret_cast<const T *>(row);
                } else {
                    T *copy = copies + held * (row_size_ / 4);
                    gather(row, x_.stride[kWidth], copy, width_);
                    rows[held] = copy;
                }
                if (++held == 4) {
                    flush(rows, held, first, line);
                }
            }
        }
        if (held > 0) {
            flush(rows, held, first, line);
        }
        if (first) { // the window lies between the elements that its dilation skips
            for (std::int64_t i = 0; i < width_; ++i) {
                line[i] = Op::template kNeutral<T>;
            }
        }
    }

    void flush(const T *const (&rows)[4], int &held, bool &first, T *line) const {
        if (first) {
            reduce_some_rows<T, Op, true>(rows, held, width_, line);
        } else {
            reduce_some_rows<T, Op, false>(rows, held, width_, line);
        }
        held = 0;
        first = false;
    }

    [[gnu::noinline]] void fill_scale(std::int64_t divisor, Lines &lines) const {
        if (!Op::kMean || divisor == lines.scaled_for) {
            return;
        }
        for (std::int64_t o = 0; o < columns_; ++o) {
            lines.scale[o] = T{1} / static_cast<T>(divisor * windows_[2][o].divisor);
        }
        lines.scaled_for = divisor;
    }

    void reduce_line(const T *line, const T *scale, T *to) const {
        const std::int64_t dilation = pool_.dilation[2];
        if (stride_ == 1) {
            return slide<T, Op, 1>(line, taps_, dilation, columns_, scale, to);
        }
        if (stride_ == 2) {
            return slide<T, Op, 2>(line, taps_, dilation, columns_, scale, to);
        }
        const T *image = line + padding_;
        for (std::int64_t o = 0; o < columns_; ++o) {
            const Window &window = windows_[2][o];
            const T value = reduce_window<T, Op>(image + window.begin, window.count, dilation);
            to[o] = Op::kMean ? value * scale[o] : value;
        }
    }

    const Pool &pool_;
    const Windows &windows_;
    const Image &x_;
    const Image &out_;
    DirectPooling<T, Op> direct_;
    Range whole_; // of the windows along the height
    std::int64_t width_;
    std::int64_t columns_;
    std::int64_t stride_; // along the row; 0 for adaptive windows
    std::int64_t padding_;
    std::int64_t taps_ = 0;
    std::int64_t line_size_ = 0;
    std::int64_t row_size_ = 0;
    std::int64_t result_size_;
};

} // namespace ndk
#endif // NDK_POOLING_ROWS_HPP
