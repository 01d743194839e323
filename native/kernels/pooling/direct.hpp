// SPDX-License-Identifier: Apache-2.0
//
// Pooling of rows that lie together by the windows that most models have: two or three neighbouring columns, every or
// every second one. A vector of results is taken straight from the image: all rows under it are reduced first, and then
// the columns. Columns that the vector before has reduced are taken over from it; the last vector of a row ends where
// the row ends, and so computes some results once more instead of a part of a vector.
#ifndef NDK_POOLING_DIRECT_HPP
#define NDK_POOLING_DIRECT_HPP

#include "pooling/geometry.hpp"
#include "pooling/lanes.hpp"

namespace ndk {

// Rows of the result whose windows have equally many rows and lie equally far apart
template <typename T>
struct RowRun {
    const char *from; // column 0 of the first row under the first window
    std::int64_t from_step;
    char *to;
    std::int64_t to_step;
    std::int64_t rows;
    std::int64_t depth; // times height rows under a window, and the bytes from one to the next
    std::int64_t depth_step;
    std::int64_t height;
    std::int64_t height_step;
    const T *scale; // of each column, for a mean
};

template <typename T, typename Op>
class DirectPooling {
public:
    DirectPooling(const Pool &pool, const Image &x, const Image &out)
        : width_(x.extent[kWidth]), columns_(out.extent[kWidth]), padding_(pool.padding[2]) {
        const std::int64_t kernel = pool.kernel[2];
        const std::int64_t stride = pool.stride[2];
        if (pool.adaptive || pool.dilation[0] != 1 || pool.dilation[1] != 1 || pool.dilation[2] != 1 ||
            x.stride[kWidth] != kItem || out.stride[kWidth] != kItem) {
            return;
        }
        const std::int64_t over = (columns_ - 1) * stride - padding_ + kernel - width_;
        over_ = over > 0 ? over : 0;
        if (x.stride[kHeight] == width_ * kItem && pool.stride[1] <= pool.kernel[1]) {
            fetched_ = width_ < 4 * kAhead / pool.stride[1] / kItem ? pool.stride[1] * width_ * kItem : 4 * kAhead;
        }
        if (kernel == 3 && stride <= 2 && over <= stride) {
            shape_ = stride == 1 ? kThreeOfOne : kThreeOfTwo;
        } else if (kernel == 2 && stride == 2 && padding_ == 0) {
            shape_ = kTwoOfTwo;
        }
    }

    // Whether these images and windows are for this class
    bool fits() const { return shape_ != kNone; }

    void run(const RowRun<T> &run) const {
        switch (shape_) {
        case kThreeOfOne:
            return rows<1, 3>(run);
        case kTwoOfTwo:
            return rows<2, 2>(run);
        default:
            return rows<2, 3>(run);
        }
    }

private:
    static constexpr std::int64_t kItem = sizeof(T);
    static constexpr std::int64_t kLine = kLanes<T>;
    static constexpr std::int64_t kAhead = 4096;               // bytes
    enum Shape { kNone, kThreeOfOne, kTwoOfTwo, kThreeOfTwo }; // columns under a window, and from one to the next

    // Results of a step along a row: those whose columns are two vectors
    static constexpr std::int64_t block(int stride) { return 2 / stride * kLine; }

    template <int Stride, int Taps>
    void rows(const RowRun<T> &run) const {
        // Float32 alone has loops for as many rows as columns: float64 would gain less, as it waits for memory sooner.
        constexpr int kRows = sizeof(T) == 4 ? Taps : 0;
        const bool square = run.depth == 1 && run.height == Taps;
        if (columns_ < block(Stride)) {
            return square ? narrow<Stride, Taps, kRows>(run) : narrow<Stride, Taps, 0>(run);
        }
        return square ? wide<Stride, Taps, kRows>(run) : wide<Stride, Taps, 0>(run);
    }

    // Rows of the result that are shorter than a step; `Rows` rows under a window, or any number of them for 0
    template <int Stride, int Taps, int Rows>
    [[gnu::noinline]] void narrow(RowRun<T> run) const {
        constexpr std::int64_t kFirst = first_column(Stride, Taps);
        const auto part = [](std::int64_t count) { return count < 0 ? 0 : count < kLine ? count : kLine; };
        const std::int64_t columns = columns_;
        const std::int64_t padding = padding_;
        const std::int64_t fetched = fetched_;
        const std::int64_t reach = width_ + padding - kFirst;
        const Vec<T> none = splat<T>(Op::template kNeutral<T>);
        run.from -= padding * kItem;
        for (; run.rows > 0; --run.rows, run.from += run.from_step, run.to += run.to_step) {
            fetch_ahead(run.from, fetched);
            Vec<T> before[2];
            columns_before<Stride, Taps, Rows>(run, run.from, padding, before);
            Vec<T> values[2];
            reduce<2, Rows>(run, run.from + kFirst * kItem, values, [&](int v, const T *at) {
                return load_first<T>(at + v * kLine, part(reach - v * kLine), none);
            });
            slide<Stride, Taps>(before, values);
            for (int v = 0; v < 2 / Stride; ++v) {
                const std::int64_t count = part(columns - v * kLine);
                if constexpr (Op::kMean) {
                    values[v] *= load_first<T>(run.scale + v * kLine, count, none);
                }
                store_first<T>(reinterpret_cast<T *>(run.to) + v * kLine, values[v], count);
            }
        }
    }

    // Rows of at least a step
    template <int Stride, int Taps, int Rows>
    [[gnu::noinline]] void wide(RowRun<T> run) const {
        constexpr std::int64_t kBlock = block(Stride);
        const std::int64_t columns = columns_;
        const std::int64_t padding = padding_;
        const std::int64_t fetched = fetched_;
        const std::int64_t over = over_;
        run.from -= padding * kItem;
        for (; run.rows > 0; --run.rows, run.from += run.from_step, run.to += run.to_step) {
            fetch_ahead(run.from, fetched);
            Vec<T> before[2];
            columns_before<Stride, Taps, Rows>(run, run.from, padding, before);
            for (std::int64_t o = 0; o < columns; o += kBlock) {
                std::int64_t beyond = 0;
                if (o + kBlock >= columns) {
                    beyond = over;
                    if (o + kBlock > columns) {
                        o = columns - kBlock;
                        columns_before<Stride, Taps, Rows>(run, run.from + o * Stride * kItem, 0, before);
                    }
                }
                const char *from = run.from + (o * Stride + first_column(Stride, Taps)) * kItem;
                Vec<T> values[2];
                reduce<2, Rows>(run, from, values,
                                [&](int v, const T *at) { return load(v == 0 ? at : at + kLine - beyond); });
                for (std::int64_t i = 0; i < beyond; ++i) {
                    values[1] = moved_down<T>(values[1], splat<T>(Op::template kNeutral<T>));
                }
                slide<Stride, Taps>(before, values);
                for (int v = 0; v < 2 / Stride; ++v) {
                    if constexpr (Op::kMean) {
                        values[v] *= load(run.scale + o + v * kLine);
                    }
                    store(reinterpret_cast<T *>(run.to) + o + v * kLine, values[v]);
                }
            }
        }
    }

    // Short rows, of which some are left out, are no stream that the CPU would fetch in time. Where rows are packed,
    // what lies so far behind them is one of the next rows, or nothing that is touched.
    [[gnu::always_inline]] static void fetch_ahead(const char *from, std::int64_t bytes) {
        for (std::int64_t i = 0; i < bytes; i += 64) {
            __builtin_prefetch(from + kAhead + i);
        }
    }

    // The column of a window that is the first of the two vectors which all columns of a block lie in, but those that
    // are taken over.
    static constexpr std::int64_t first_column(int stride, int taps) { return stride == 1 ? taps - 1 : taps - 2; }

    // values[v] = all rows under a window, where get(v, row) is vector v of a row
    template <int Vectors, int Rows, typename Get>
    [[gnu::always_inline]] static void reduce(const RowRun<T> &run, const char *from, Vec<T> (&values)[Vectors],
                                              const Get &get) {
        for (int v = 0; v < Vectors; ++v) {
            values[v] = get(v, reinterpret_cast<const T *>(from));
        }
        const auto add = [&](const char *row) {
            for (int v = 0; v < Vectors; ++v) {
                values[v] = Op::template vectors<T>(values[v], get(v, reinterpret_cast<const T *>(row)));
            }
        };
        if constexpr (Rows != 0) {
            for (int h = 1; h < Rows; ++h) {
                add(from + h * run.height_step);
            }
            return;
        }
        const char *row = from;
        for (std::int64_t h = 1; h < run.height; ++h) {
            add(row += run.height_step);
        }
        for (std::int64_t d = 1; d < run.depth; ++d) {
            row = from += run.depth_step;
            for (std::int64_t h = 0; h < run.height; ++h, row += run.height_step) {
                add(row);
            }
        }
    }

    // The columns that a vector takes over from the one before, where there was none: those from `from` on, of which
    // the first `padding` lie before the image.
    template <int Stride, int Taps, int Rows>
    [[gnu::always_inline]] static void columns_before(const RowRun<T> &run, const char *from, std::int64_t padding,
                                                      Vec<T> (&before)[2]) {
        for (int i = 0; i < (Taps == 2 ? 0 : Stride == 1 ? 2 : 1); ++i) {
            Vec<T> column[1] = {splat<T>(Op::template kNeutral<T>)};
            if (i >= padding) {
                reduce<1, Rows>(run, from + i * kItem, column, [](int, const T *at) { return splat(*at); });
            }
            before[i] = column[0];
        }
    }

    // Two vectors of columns become the results of their windows: two vectors or, with a stride, one
    template <int Stride, int Taps>
    [[gnu::always_inline]] static void slide(Vec<T> (&before)[2], Vec<T> (&values)[2]) {
        if constexpr (Stride == 1) {
            for (Vec<T> &value : values) {
                const Vec<T> middle = moved_up<T>(before[1], value);
                const Vec<T> left = moved_up<T>(before[0], middle);
                before[0] = middle;
                before[1] = value;
                value = Op::template vectors<T>(Op::template vectors<T>(left, middle), value);
            }
        } else {
            const Vec<T> even = evens<T>(values[0], values[1]);
            const Vec<T> odd = odds<T>(values[0], values[1]);
            Vec<T> result = even;
            if constexpr (Taps == 3) {
                result = Op::template vectors<T>(moved_up<T>(before[0], odd), even);
                before[0] = odd;
            }
            values[0] = Op::template vectors<T>(result, odd);
        }
    }

    std::int64_t width_;
    std::int64_t columns_;
    std::int64_t padding_;
    std::int64_t over_ = 0;    // columns of the last window behind the row
    std::int64_t fetched_ = 0; // bytes for each row of the result
    Shape shape_ = kNone;
};

} // namespace ndk
#endif // NDK_POOLING_DIRECT_HPP
