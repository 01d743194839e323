// SPDX-License-Identifier: Apache-2.0
//
// Lines: what lies along one axis of several tensors of one shape, or along some neighbouring axes in C order.
// Functions that compute along an axis see one line after the other as consecutive memory, or a block of neighbouring
// lines as the rows of a matrix.
#ifndef NDK_NORMALIZATION_LINES_HPP
#define NDK_NORMALIZATION_LINES_HPP

#include "call.hpp"
#include "host.hpp"
#include "vec.hpp"

namespace ndk {

constexpr std::int64_t kLineGrain = std::int64_t{1} << 15; // elements that are worth a thread

// Elements of a block of lines: a row of it is a whole number of vectors and cache lines.
template <typename T>
inline constexpr std::int64_t kBlockWidth = 4 * 64 / static_cast<std::int64_t>(sizeof(T));

// `Count` tensors of one shape; the first is written. compute(data) gets the lines' first elements, which are
// consecutive: those of tensors with other strides are copied to `scratch` and back.
template <typename T, int Count>
class Lines {
public:
    Lines(const ndk_tensor *const (&tensors)[Count], std::int32_t axis) : Lines(tensors, axis, axis + 1) {}

    [[gnu::noinline]] Lines(const ndk_tensor *const (&tensors)[Count], std::int32_t axis, std::int32_t end)
        : axes_(end - axis) {
        for (std::int32_t i = 0; i < tensors[0]->ndim; ++i) {
            const std::int64_t extent = tensors[0]->shape[i];
            if (i >= axis && i < end) {
                shape_[i - axis] = extent;
                extent_ *= extent;
                continue;
            }
            std::int64_t strides[Count];
            for (int view = 0; view < Count; ++view) {
                strides[view] = tensors[view]->strides[i];
            }
            nest_.insert(extent, strides);
        }
        nest_.merge();
        for (int view = 0; view < Count; ++view) {
            data_[view] = static_cast<char *>(tensors[view]->data);
            std::int64_t expected = sizeof(T);
            direct_[view] = true;
            for (std::int32_t i = axes_ - 1; i >= 0; --i) {
                strides_[view][i] = tensors[view]->strides[axis + i];
                direct_[view] = direct_[view] && (shape_[i] == 1 || strides_[view][i] == expected);
                expected *= shape_[i];
            }
        }
    }

    std::int64_t extent() const { return extent_; }
    std::int64_t count() const { return nest_.size; }

    // Whether neighbouring lines are neighbours in memory in all tensors, and worth being computed together.
    bool side_by_side() const {
        const int last = nest_.ndim - 1;
        if (axes_ != 1 || last < 0 || nest_.shape[last] < kLanes<T> || extent_ == 1) {
            return false;
        }
        for (int view = 0; view < Count; ++view) {
            if (nest_.strides[view][last] != static_cast<std::int64_t>(sizeof(T))) {
                return false;
            }
        }
        return true;
    }

    // In bytes, of lines along one axis.
    std::int64_t stride(int view) const { return strides_[view][0]; }

    // compute(data) for each line; scratch memory is `Count` lines for each thread.
    template <typename Compute>
    ndk_status each(const ndk_host *host, const Compute &compute) const {
        return each_together<1>(host, [&](T *const(*lines)[Count], int) { compute(*lines); });
    }

    // compute(data, lines) for up to `Together` lines, whose steps can be done in turns: what one waits for at the end
    // of a step comes while another's runs.
    template <int Together, typename Compute>
    ndk_status each_together(const ndk_host *host, const Compute &compute) const {
        if (nest_.size * extent_ == 0) {
            return NDK_OK;
        }
        bool direct = true;
        for (int view = 0; view < Count; ++view) {
            direct = direct && direct_[view];
        }
        const std::int64_t parts = parts_for(host, nest_.size * extent_ / kLineGrain);
        const std::int64_t threads = parts < nest_.size ? parts : nest_.size;
        const Scratch<T> scratch(host, direct ? 0 : threads * Count * extent_);
        if (!direct && scratch.get() == nullptr) {
            return NDK_OUT_OF_MEMORY;
        }
        parallel_for(host, threads, [&](std::int64_t part) {
            const std::int64_t end = part_begin(nest_.size, threads, part + 1, 1);
            Cursor<Count> cursor(nest_, part_begin(nest_.size, threads, part, 1));
            std::int64_t line = part_begin(nest_.size, threads, part, 1);
            while (line < end) {
                T *lines[Together][Count];
                int together = 0;
                char *to = data_[0] + cursor.offset[0];
                do {
                    for (int view = 0; view < Count; ++view) {
                        char *from = data_[view] + cursor.offset[view];
                        lines[together][view] = reinterpret_cast<T *>(from);
                        if (!direct_[view]) {
                            lines[together][view] = scratch.get() + (part * Count + view) * extent_;
                            if (view > 0) {
                                collect(view, from, lines[together][view]);
                            }
                        }
                    }
                    ++together;
                    ++line;
                    cursor.next();
                } while (together < (direct ? Together : 1) && line < end);
                compute(lines, together);
                if (!direct_[0]) {
                    spread(to, lines[0][0]);
                }
            }
        });
        return NDK_OK;
    }

    // compute(data, width) for each block of up to kBlockWidth neighbouring lines, where side_by_side() holds: data has
    // their first elements.
    template <typename Compute>
    ndk_status each_block(const ndk_host *host, const Compute &compute) const {
        if (nest_.size * extent_ == 0) {
            return NDK_OK;
        }
        LoopNest<Count> outer = nest_;
        std::int64_t inner[Count];
        const std::int64_t width = outer.take_inner(inner);
        const std::int64_t blocks = (width + kBlockWidth<T> - 1) / kBlockWidth<T>;
        const std::int64_t tasks = outer.size * blocks;
        const std::int64_t parts = parts_for(host, nest_.size * extent_ / kLineGrain);
        parallel_for(host, parts < tasks ? parts : tasks, [&](std::int64_t part) {
            const std::int64_t threads = parts < tasks ? parts : tasks;
            const std::int64_t end = part_begin(tasks, threads, part + 1, 1);
            for (std::int64_t task = part_begin(tasks, threads, part, 1); task < end; ++task) {
                const Cursor<Count> cursor(outer, task / blocks);
                const std::int64_t begin = task % blocks * kBlockWidth<T>;
                T *lines[Count];
                for (int view = 0; view < Count; ++view) {
                    lines[view] = reinterpret_cast<T *>(data_[view] + cursor.offset[view]) + begin;
                }
                compute(lines, width - begin < kBlockWidth<T> ? width - begin : kBlockWidth<T>);
            }
        });
        return NDK_OK;
    }

private:
    // visit(address, elements) for each row of the line's axes, in C order.
    template <typename Visit>
    void for_rows(int view, char *from, const Visit &visit) const {
        std::int64_t index[NDK_MAX_NDIM] = {};
        const std::int32_t last = axes_ - 1;
        for (std::int64_t done = 0; done < extent_; done += shape_[last]) {
            char *row = from;
            for (std::int32_t i = 0; i < last; ++i) {
                row += index[i] * strides_[view][i];
            }
            visit(row, done);
            for (std::int32_t i = last - 1; i >= 0 && ++index[i] == shape_[i]; --i) {
                index[i] = 0;
            }
        }
    }

    [[gnu::noinline]] void collect(int view, char *from, T *line) const {
        for_rows(view, from, [&](const char *row, std::int64_t done) {
            gather(row, strides_[view][axes_ - 1], line + done, shape_[axes_ - 1]);
        });
    }

    [[gnu::noinline]] void spread(char *to, const T *line) const {
        for_rows(0, to, [&](char *row, std::int64_t done) {
            scatter(line + done, row, strides_[0][axes_ - 1], shape_[axes_ - 1]);
        });
    }

    LoopNest<Count> nest_;
    char *data_[Count];
    std::int32_t axes_;
    std::int64_t extent_ = 1;
    std::int64_t shape_[NDK_MAX_NDIM];
    std::int64_t strides_[Count][NDK_MAX_NDIM];
    bool direct_[Count] = {};
};

// `count` elements further along the axis, whose stride is in bytes.
template <typename T>
inline T *stepped(T *data, std::int64_t stride, std::int64_t count) {
    return data + stride / static_cast<std::int64_t>(sizeof(T)) * count; // strides are multiples of it
}

} // namespace ndk
#endif // NDK_NORMALIZATION_LINES_HPP
