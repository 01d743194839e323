// SPDX-License-Identifier: Apache-2.0
//
// Reductions.
//
// Sums are pairwise (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 4.2), so the error grows
// with the logarithm of the number of terms. The order of the additions follows from the shapes and strides alone:
// how many threads there are never changes a result.
#include "host.hpp"
#include "kernels.hpp"
#include "vec.hpp"
#include "views.hpp"

namespace ndk {
namespace {

constexpr std::int64_t kLeaf = 1024;        // elements of a run that are added without splitting
constexpr std::int64_t kSegment = 16384;    // elements of a run that are one piece of work
constexpr std::int64_t kLeafRuns = 4;       // runs, or segments of one, whose sums are added one after the other
constexpr std::int64_t kLeafRows = 64;      // the same for rows that are added to each other
constexpr std::int64_t kColumnBytes = 8192; // of each row, so that the running total stays in the L1 cache
constexpr std::int64_t kGroupSize = std::int64_t{1} << 17; // elements that are worth a task of their own
constexpr std::int64_t kMaxGroups = 64;

template <typename T>
T sum_leaf(const T *x, std::int64_t count) {
    constexpr std::int64_t kStep = kLanes<T>;
    constexpr std::int64_t kUnroll = 8;
    Vec<T> sums[kUnroll] = {};
    std::int64_t i = 0;
    for (; i + kUnroll * kStep <= count; i += kUnroll * kStep) {
        for (std::int64_t u = 0; u < kUnroll; ++u) {
            sums[u] += load(x + i + u * kStep);
        }
    }
    for (; i + kStep <= count; i += kStep) {
        sums[0] += load(x + i);
    }
    const Vec<T> total = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    T rest = 0;
    for (; i < count; ++i) {
        rest += x[i];
    }
    return sum_of_lanes<T>(total) + rest;
}

// Sum of `count` elements that lie `stride` bytes apart.
template <typename T>
T sum_run(const char *x, std::int64_t stride, std::int64_t count) {
    if (count > kLeaf) {
        const std::int64_t half = (count / 2 + kLeaf - 1) / kLeaf * kLeaf;
        return sum_run<T>(x, stride, half) + sum_run<T>(x + half * stride, stride, count - half);
    }
    if (stride == static_cast<std::int64_t>(sizeof(T))) {
        return sum_leaf(reinterpret_cast<const T *>(x), count);
    }
    T block[kLeaf];
    gather(x, stride, block, count);
    return sum_leaf(block, count);
}

// A sum over some axes, as cells times units. A cell is one output or, where the fastest axis of x is kept, up to
// kWidth neighbouring outputs; its units (runs, or rows) are what is added up for it.
template <typename T>
class Sum {
public:
    Sum(const ndk_tensor *x, const ndk_tensor *out)
        : x_(static_cast<const char *>(x->data)), out_(static_cast<char *>(out->data)) {
        for (std::int32_t axis = 0; axis < x->ndim; ++axis) {
            if (out->shape[axis] == x->shape[axis]) {
                kept_.insert(x->shape[axis], {x->strides[axis], out->strides[axis]});
            } else {
                reduced_.insert(x->shape[axis], {x->strides[axis]});
            }
        }
        size_ = kept_.size * reduced_.size;
        if (kept_.size == 0) {
            return;
        }
        kept_.merge();
        reduced_.merge();
        by_columns_ = kept_is_fastest();
        if (by_columns_) {
            columns_ = kept_.take_inner(column_strides_);
            blocks_ = (columns_ + kWidth - 1) / kWidth;
            kept_.put_inner(blocks_, {kWidth * column_strides_[0], kWidth * column_strides_[1]});
        } else if (reduced_.size > 0) {
            run_ = reduced_.take_inner(run_stride_);
            segments_ = (run_ + kSegment - 1) / kSegment;
            reduced_.put_inner(segments_, {kSegment * run_stride_[0]});
        }
    }

    ndk_status run(const ndk_host *host) const {
        const std::int64_t cells = kept_.size;
        if (cells == 0) {
            return NDK_OK;
        }
        const std::int64_t groups = group_count();
        const std::int64_t tasks = cells * groups;
        const std::int64_t parts = parts_for(host, size_ / kGroupSize < tasks ? size_ / kGroupSize : tasks);
        if (groups == 1) {
            parallel_for(host, parts, [&](std::int64_t part) {
                const std::int64_t begin = part_begin(cells, parts, part, 1);
                const std::int64_t end = part_begin(cells, parts, part + 1, 1);
                Cursor<2> cursor(kept_, begin);
                for (std::int64_t cell = begin; cell < end; ++cell, cursor.next()) {
                    alignas(kVectorBytes) T total[kWidth];
                    add_units(x_ + cursor.offset[0], width_of(cell), 0, reduced_.size, total);
                    scatter(total, out_ + cursor.offset[1], column_strides_[1], width_of(cell));
                }
            });
            return NDK_OK;
        }
        const Scratch<T> partial(host, tasks * kWidth);
        if (partial.get() == nullptr) {
            return NDK_OUT_OF_MEMORY;
        }
        parallel_for(host, parts, [&](std::int64_t part) {
            const std::int64_t end = part_begin(tasks, parts, part + 1, 1);
            for (std::int64_t task = part_begin(tasks, parts, part, 1); task < end; ++task) {
                const std::int64_t cell = task / groups;
                add_units(x_ + Cursor<2>(kept_, cell).offset[0], width_of(cell),
                          part_begin(reduced_.size, groups, task % groups, 1),
                          part_begin(reduced_.size, groups, task % groups + 1, 1), partial.get() + task * kWidth);
            }
        });
        for (std::int64_t cell = 0; cell < cells; ++cell) {
            T *total = partial.get() + cell * groups * kWidth;
            for (std::int64_t step = 1; step < groups; step *= 2) {
                for (std::int64_t group = 0; group + step < groups; group += 2 * step) {
                    add(total + group * kWidth, total + (group + step) * kWidth, width_of(cell));
                }
            }
            scatter(total, out_ + Cursor<2>(kept_, cell).offset[1], column_strides_[1], width_of(cell));
        }
        return NDK_OK;
    }

private:
    static constexpr std::int64_t kWidth = kColumnBytes / static_cast<std::int64_t>(sizeof(T));

    bool kept_is_fastest() const {
        const std::int64_t kept = kept_.ndim == 0 ? 0 : kept_.strides[0][kept_.ndim - 1];
        const std::int64_t reduced = reduced_.ndim == 0 ? 0 : reduced_.strides[0][reduced_.ndim - 1];
        return kept != 0 && (reduced == 0 || kept < reduced);
    }

    // Into how many independent sums each cell is cut, so that there is work for many threads.
    std::int64_t group_count() const {
        if (size_ == 0 || kept_.size > kMaxGroups) {
            return 1;
        }
        std::int64_t groups = kMaxGroups / kept_.size;
        groups = groups < size_ / kept_.size / kGroupSize ? groups : size_ / kept_.size / kGroupSize;
        groups = groups < reduced_.size ? groups : reduced_.size;
        return groups < 1 ? 1 : groups;
    }

    std::int64_t width_of(std::int64_t cell) const {
        const std::int64_t left = columns_ - cell % blocks_ * kWidth;
        return left < kWidth ? left : kWidth;
    }

    // total[i] = the sum of the units [begin, end) of column i of the cell whose first element is at x.
    void add_units(const char *x, std::int64_t width, std::int64_t begin, std::int64_t end, T *total) const {
        const std::int64_t leaf = by_columns_ ? kLeafRows : kLeafRuns;
        if (end - begin > leaf) {
            const std::int64_t middle = begin + ((end - begin) / 2 + leaf - 1) / leaf * leaf;
            alignas(kVectorBytes) T second[kWidth];
            add_units(x, width, begin, middle, total);
            add_units(x, width, middle, end, second);
            add(total, second, width);
        } else if (by_columns_) {
            add_rows(x, width, begin, end, total);
        } else {
            add_runs(x, begin, end, total);
        }
    }

    void add_runs(const char *x, std::int64_t begin, std::int64_t end, T *total) const {
        *total = 0;
        if (begin == end) {
            return;
        }
        Cursor<1> cursor(reduced_, begin);
        for (std::int64_t unit = begin; unit < end; ++unit, cursor.next()) {
            const std::int64_t left = run_ - unit % segments_ * kSegment;
            *total += sum_run<T>(x + cursor.offset[0], run_stride_[0], left < kSegment ? left : kSegment);
        }
    }

    void add_rows(const char *x, std::int64_t width, std::int64_t begin, std::int64_t end, T *total) const {
        for (std::int64_t i = 0; i < width; ++i) {
            total[i] = 0;
        }
        if (begin == end) {
            return;
        }
        constexpr int kRows = 4;
        const bool consecutive = column_strides_[0] == static_cast<std::int64_t>(sizeof(T));
        Cursor<1> cursor(reduced_, begin);
        for (std::int64_t unit = begin; unit < end;) {
            const char *rows[kRows];
            int count = 0;
            for (; count < kRows && unit < end; ++count, ++unit, cursor.next()) {
                rows[count] = x + cursor.offset[0];
            }
            if (count == kRows && consecutive) {
                add_four(total, rows, width);
                continue;
            }
            for (int row = 0; row < count; ++row) {
                for (std::int64_t i = 0; i < width; ++i) {
                    total[i] += *reinterpret_cast<const T *>(rows[row] + i * column_strides_[0]);
                }
            }
        }
    }

    static void add_four(T *total, const char *const (&rows)[4], std::int64_t width) {
        const auto row = [&](int index) { return reinterpret_cast<const T *>(rows[index]); };
        std::int64_t i = 0;
        for (; i + kLanes<T> <= width; i += kLanes<T>) {
            store(total + i,
                  load(total + i) + ((load(row(0) + i) + load(row(1) + i)) + (load(row(2) + i) + load(row(3) + i))));
        }
        for (; i < width; ++i) {
            total[i] += (row(0)[i] + row(1)[i]) + (row(2)[i] + row(3)[i]);
        }
    }

    static void add(T *total, const T *other, std::int64_t width) {
        for (std::int64_t i = 0; i < width; ++i) {
            total[i] += other[i];
        }
    }

    const char *x_;
    char *out_;
    LoopNest<2> kept_;    // of x and out
    LoopNest<1> reduced_; // of x
    std::int64_t size_;   // elements of x
    bool by_columns_ = false;
    std::int64_t columns_ = 1, blocks_ = 1, column_strides_[2] = {};
    std::int64_t run_ = 0, segments_ = 1, run_stride_[1] = {};
};

bool reduces(const ndk_tensor *x, const ndk_tensor *out) {
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

} // namespace

ndk_status reduce(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    const ndk_tensor *const tensors[] = {out, x};
    for (const ndk_tensor *tensor : tensors) {
        if (const ndk_status status = check_float_tensor(tensor, out->dtype); status != NDK_OK) {
            return status;
        }
    }
    if (op != NDK_SUM || !reduces(x, out)) {
        return NDK_INVALID_ARGUMENT;
    }
    return out->dtype == NDK_FLOAT32 ? Sum<float>(x, out).run(host) : Sum<double>(x, out).run(host);
}

} // namespace ndk
