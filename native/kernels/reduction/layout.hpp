// SPDX-License-Identifier: Apache-2.0
//
// How a reduction over some axes is cut into cells and units.
//
// A cell is one output or, where the fastest axis of x is kept, up to `width` neighbouring outputs. Its units are what
// is reduced for it: segments of runs along the fastest axis, or rows with one element for each output. Both follow
// from the shapes and the strides alone, and so does the order in which units are combined: how many threads there are
// never changes a result.
#ifndef NDK_REDUCTION_LAYOUT_HPP
#define NDK_REDUCTION_LAYOUT_HPP

#include "views.hpp"

namespace ndk {

// `out` has the dimensions of x, and an extent of 1 along the axes that go.
inline bool reduces(const ndk_tensor *x, const ndk_tensor *out) {
    if (x->ndim != out->ndim) {
        return false;
    }
    for (std::int32_t axis = 0; axis < x->ndim; ++axis) {
        if (out->shape[axis] != x->shape[axis] && out->shape[axis] != 1) {
            return false;
        }
    }
    return true;
}

struct ReductionLayout {
    static constexpr std::int64_t kSegment = 16384;                   // elements of a run that are one unit
    static constexpr std::int64_t kGroupSize = std::int64_t{1} << 17; // elements that are worth a task of their own
    static constexpr std::int64_t kMaxGroups = 64;

    // At most `most` outputs in a cell of consecutive columns, and `scattered` in one of others. `in_order`: the units
    // are in the order that C has for the axes that go, and not in that of their memory.
    [[gnu::noinline]] ReductionLayout(const ndk_tensor *x, const ndk_tensor *out, std::int64_t item, std::int64_t most,
                                      std::int64_t scattered, bool in_order) {
        for (std::int32_t axis = 0; axis < x->ndim; ++axis) {
            if (out->shape[axis] == x->shape[axis]) {
                kept.insert(x->shape[axis], {x->strides[axis], out->strides[axis]});
            } else if (in_order) {
                reduced.put_inner(x->shape[axis], {x->strides[axis]});
            } else {
                reduced.insert(x->shape[axis], {x->strides[axis]});
            }
        }
        if (kept.size == 0) {
            return;
        }
        size = kept.size * reduced.size;
        kept.merge();
        reduced.merge();
        count = reduced.size;
        by_columns = kept_is_fastest();
        if (by_columns) {
            columns = kept.take_inner(column_strides);
            consecutive = column_strides[0] == item;
            width = consecutive ? most : scattered;
            width = width < columns ? width : columns;
            blocks = (columns + width - 1) / width;
            kept.put_inner(blocks, {width * column_strides[0], width * column_strides[1]});
        } else if (count > 0) {
            run = reduced.take_inner(run_stride);
            consecutive = run_stride[0] == item || run == 1;
            segments = run > kSegment ? (run + kSegment - 1) / kSegment : 1;
            reduced.put_inner(segments, {kSegment * run_stride[0]});
        }
    }

    // Into how many independent parts each cell is cut, so that there is work for many threads.
    std::int64_t group_count() const {
        if (size < 2 * kGroupSize || kept.size > kMaxGroups) {
            return 1;
        }
        std::int64_t groups = kMaxGroups / kept.size;
        groups = groups < size / kept.size / kGroupSize ? groups : size / kept.size / kGroupSize;
        groups = groups < reduced.size ? groups : reduced.size;
        return groups < 1 ? 1 : groups;
    }

    std::int64_t width_of(std::int64_t cell) const {
        if (blocks == 1) {
            return columns;
        }
        const std::int64_t left = columns - cell % blocks * width;
        return left < width ? left : width;
    }

    std::int64_t length_of(std::int64_t unit) const {
        if (segments == 1) {
            return run;
        }
        const std::int64_t left = run - unit % segments * kSegment;
        return left < kSegment ? left : kSegment;
    }

    // For one output, elements in front of a unit.
    std::int64_t elements_before(std::int64_t unit) const {
        return by_columns ? unit : segments == 1 ? unit * run : unit / segments * run + unit % segments * kSegment;
    }

    LoopNest<2> kept;       // cells, of x and out
    LoopNest<1> reduced;    // units, of x
    std::int64_t size = 0;  // elements of x
    std::int64_t count = 0; // of them for one output
    bool by_columns = false;
    bool consecutive = false; // the elements of a run, or of a row
    std::int64_t columns = 1, width = 1, blocks = 1, column_strides[2] = {};
    std::int64_t run = 0, segments = 1, run_stride[1] = {};

private:
    bool kept_is_fastest() const {
        const std::int64_t fastest = kept.ndim == 0 ? 0 : kept.strides[0][kept.ndim - 1];
        bool faster = fastest != 0;
        for (int axis = 0; axis < reduced.ndim; ++axis) {
            const std::int64_t stride = magnitude(reduced.strides[0][axis]);
            faster = faster && (stride == 0 || fastest < stride);
        }
        return faster;
    }
};

} // namespace ndk
#endif // NDK_REDUCTION_LAYOUT_HPP
