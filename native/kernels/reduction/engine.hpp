// SPDX-License-Identifier: Apache-2.0
//
// The reduction of a tensor with any operation that can be done in parts.
//
// An operation keeps a state of a few numbers (planes) for each output, and says how a state is made of elements, how
// two states become one, and what the result of a state is:
//
//   struct Operation {
//       using In, State, Out;                     // of an element, of a number of the state, of a result
//       static constexpr int kPlanes;             // numbers of a state
//       static constexpr std::int64_t kLeaf;      // elements that leaf() may be given, a power of two
//       static constexpr std::int64_t kLeafRows;  // rows that rows() may be given
//       static constexpr std::int64_t kRowBytes;  // of the longest row that rows() may be given
//       static bool settled(const State *state);    // whether more elements could not change it
//       static constexpr bool kInOrder;             // whether units come in the order of C
//       void empty(State *state) const;                                            // of no elements
//       void leaf(const In *x, std::int64_t count, State *state) const;            // of count >= 1 elements
//       void rows(const In *const *rows, std::int64_t count, std::int64_t width, State *states, std::int64_t plane)
//       const; void merge(State *states, std::int64_t count, const State *others, std::int64_t other_count,
//                  std::int64_t width, std::int64_t plane) const;                  // into `states`
//       void finish(const State *states, std::int64_t count, std::int64_t width, std::int64_t plane, char *out,
//                   std::int64_t stride) const;
//   };
//
// `width` states lie next to each other, and the numbers of one are `plane` apart. States are merged as a balanced tree
// over leaves: pairwise summation (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 4.2), whose
// error grows with the logarithm of the number of terms.
//
// Scratch: one cell's states (kPlanes rows of kRowBytes at most) for each level of the tree and each thread, and for 64
// groups where few outputs have many elements. A few hundred KiB, whatever the size of x.
#ifndef NDK_REDUCTION_ENGINE_HPP
#define NDK_REDUCTION_ENGINE_HPP

#include "host.hpp"
#include "reduction/layout.hpp"
#include "vec.hpp"

namespace ndk {

template <typename Operation>
class Reduction {
    using In = typename Operation::In;
    using State = typename Operation::State;

public:
    Reduction(const ndk_tensor *x, const ndk_tensor *out, const Operation &operation)
        : operation_(operation), layout_(x, out, sizeof(In), kWidest, kScattered, Operation::kInOrder),
          x_(static_cast<const char *>(x->data)), out_(static_cast<char *>(out->data)), plane_(layout_.width),
          leaf_(layout_.consecutive ? Operation::kLeaf : kGathered) {}

    ndk_status run(const ndk_host *host) const {
        const std::int64_t cells = layout_.kept.size;
        if (cells == 0) {
            return NDK_OK;
        }
        const std::int64_t groups = layout_.group_count();
        const std::int64_t tasks = cells * groups;
        const std::int64_t grains = layout_.size / ReductionLayout::kGroupSize;
        const std::int64_t parts = parts_for(host, grains < tasks ? grains : tasks);
        const std::int64_t state = Operation::kPlanes * plane_;
        const std::int64_t levels = levels_of_rows();
        const std::int64_t shared = groups == 1 ? 0 : tasks * state;
        const Scratch<State> scratch(host, shared + parts * levels * state);
        if (scratch.get() == nullptr && shared + levels > 0) {
            return NDK_OUT_OF_MEMORY;
        }
        const auto spare = [&](std::int64_t part) {
            return levels == 0 ? nullptr : scratch.get() + shared + part * levels * state;
        };
        if (groups == 1) {
            parallel_for(host, parts, [&](std::int64_t part) {
                reduce_cells(part_begin(cells, parts, part, 1), part_begin(cells, parts, part + 1, 1), spare(part));
            });
            return NDK_OK;
        }
        parallel_for(host, parts, [&](std::int64_t part) {
            const std::int64_t end = part_begin(tasks, parts, part + 1, 1);
            for (std::int64_t task = part_begin(tasks, parts, part, 1); task < end; ++task) {
                const std::int64_t cell = task / groups;
                reduce_units(x_ + Cursor<2>(layout_.kept, cell).offset[0], layout_.width_of(cell),
                             group_begin(groups, task % groups), group_begin(groups, task % groups + 1),
                             scratch.get() + task * state, spare(part));
            }
        });
        for (std::int64_t cell = 0; cell < cells; ++cell) {
            merge_groups(scratch.get() + cell * groups * state, groups, cell);
        }
        return NDK_OK;
    }

private:
    static constexpr std::int64_t kGathered = 1024; // elements of a strided run that are one leaf
    static constexpr std::int64_t kLeafRuns = 8;    // runs whose states are merged one after the other
    static constexpr std::int64_t kScattered = 4096 / Operation::kLeafRows; // outputs of a cell of scattered columns
    static_assert(Operation::kLeaf >= kGathered);
    static constexpr std::int64_t kWidest = Operation::kRowBytes / static_cast<std::int64_t>(sizeof(In));

    // What calls itself is kept from being unrolled into itself, and what is called in several places from being copied
    // there: both would be a third of the library's code and compilation.

    // Depth of the tree over rows, whose states need memory.
    std::int64_t levels_of_rows() const {
        std::int64_t levels = 0;
        for (std::int64_t rows = layout_.by_columns ? layout_.count : 0; rows > Operation::kLeafRows; ++levels) {
            rows = middle_of(0, rows, Operation::kLeafRows);
        }
        return levels;
    }

    std::int64_t group_begin(std::int64_t groups, std::int64_t group) const {
        return part_begin(layout_.reduced.size, groups, group < groups ? group : groups, 1);
    }

    [[gnu::noinline]] void reduce_cells(std::int64_t begin, std::int64_t end, State *spare) const {
        Cursor<2> cursor(layout_.kept, begin);
        const std::int64_t units = layout_.reduced.size;
        if (!layout_.by_columns && units == 1 && layout_.consecutive && layout_.run <= leaf_) {
            const char *first = x_ + layout_.reduced.offset[0];
            for (std::int64_t cell = begin; cell < end; ++cell, cursor.next()) {
                State state[Operation::kPlanes];
                leaf(reinterpret_cast<const In *>(first + cursor.offset[0]), layout_.run, state);
                operation_.finish(state, layout_.run, 1, 1, out_ + cursor.offset[1], 0);
            }
            return;
        }
        for (std::int64_t cell = begin; cell < end; ++cell, cursor.next()) {
            alignas(kVectorBytes) State states[Operation::kPlanes * kWidest];
            const std::int64_t width = layout_.width_of(cell);
            reduce_units(x_ + cursor.offset[0], width, 0, units, states, spare);
            finish_columns(states, width, out_ + cursor.offset[1]);
        }
    }

    [[gnu::noinline]] void merge_groups(State *states, std::int64_t groups, std::int64_t cell) const {
        const std::int64_t state = Operation::kPlanes * plane_;
        const auto elements = [&](std::int64_t from, std::int64_t to) {
            return layout_.elements_before(group_begin(groups, to)) -
                   layout_.elements_before(group_begin(groups, from));
        };
        const std::int64_t width = layout_.width_of(cell);
        for (std::int64_t step = 1; step < groups; step *= 2) {
            for (std::int64_t group = 0; group + step < groups; group += 2 * step) {
                merge_columns(states + group * state, elements(group, group + step), states + (group + step) * state,
                              elements(group + step, group + 2 * step), width);
            }
        }
        finish_columns(states, width, out_ + Cursor<2>(layout_.kept, cell).offset[1]);
    }

    [[gnu::noinline]] void merge_columns(State *states, std::int64_t count, const State *others,
                                         std::int64_t other_count, std::int64_t width) const {
        operation_.merge(states, count, others, other_count, width, plane_);
    }

    [[gnu::noinline]] void finish_columns(const State *states, std::int64_t width, char *out) const {
        operation_.finish(states, layout_.count, width, plane_, out, layout_.column_strides[1]);
    }

    // The states of the units [begin, end) of the cell whose first element is at x.
    [[gnu::noinline]] void reduce_units(const char *x, std::int64_t width, std::int64_t begin, std::int64_t end,
                                        State *states, State *spare) const {
        if (begin == end) {
            State nothing[Operation::kPlanes];
            operation_.empty(nothing);
            for (int i = 0; i < Operation::kPlanes; ++i) {
                for (std::int64_t column = 0; column < width; ++column) {
                    states[i * plane_ + column] = nothing[i];
                }
            }
        } else if (layout_.by_columns) {
            reduce_rows(x, width, begin, end, states, spare);
        } else {
            reduce_runs(x, begin, end, states);
        }
    }

    // The second half is not the longer one, so the first has the depth of the tree.
    static std::int64_t middle_of(std::int64_t begin, std::int64_t end, std::int64_t unit) {
        return begin + ((end - begin + 1) / 2 + unit - 1) / unit * unit;
    }

    [[gnu::noinline]] void reduce_runs(const char *x, std::int64_t begin, std::int64_t end, State *state) const {
        State other[Operation::kPlanes];
        if (end - begin > kLeafRuns) {
            const std::int64_t middle = middle_of(begin, end, kLeafRuns);
            reduce_runs(x, begin, middle, state);
            if (Operation::settled(state)) {
                return;
            }
            reduce_runs(x, middle, end, other);
            const std::int64_t before = layout_.elements_before(middle);
            operation_.merge(state, before - layout_.elements_before(begin), other,
                             layout_.elements_before(end) - before, 1, 1);
            return;
        }
        Cursor<1> cursor(layout_.reduced, begin);
        std::int64_t count = layout_.length_of(begin);
        reduce_run(x + cursor.offset[0], count, state);
        for (std::int64_t unit = begin + 1; unit < end && !Operation::settled(state); ++unit) {
            cursor.next();
            const std::int64_t length = layout_.length_of(unit);
            reduce_run(x + cursor.offset[0], length, other);
            operation_.merge(state, count, other, length, 1, 1);
            count += length;
        }
    }

    [[gnu::noinline]] void reduce_run(const char *x, std::int64_t count, State *state) const {
        const std::int64_t stride = layout_.run_stride[0];
        if (count > leaf_) {
            const std::int64_t half = middle_of(0, count, leaf_);
            State other[Operation::kPlanes];
            reduce_run(x, half, state);
            if (Operation::settled(state)) {
                return;
            }
            reduce_run(x + half * stride, count - half, other);
            operation_.merge(state, half, other, count - half, 1, 1);
        } else if (layout_.consecutive) {
            leaf(reinterpret_cast<const In *>(x), count, state);
        } else {
            alignas(kVectorBytes) In block[kGathered];
            *block = In{}; // the compiler does not see that count >= 1
            gather(x, stride, block, count);
            leaf(block, count, state);
        }
    }

    [[gnu::noinline]] void leaf(const In *x, std::int64_t count, State *state) const {
        operation_.leaf(x, count, state);
    }

    [[gnu::noinline]] void reduce_rows(const char *x, std::int64_t width, std::int64_t begin, std::int64_t end,
                                       State *states, State *spare) const {
        if (end - begin > Operation::kLeafRows) {
            const std::int64_t middle = middle_of(begin, end, Operation::kLeafRows);
            State *next = spare + Operation::kPlanes * plane_;
            reduce_rows(x, width, begin, middle, states, next);
            reduce_rows(x, width, middle, end, spare, next);
            merge_columns(states, middle - begin, spare, end - middle, width);
            return;
        }
        const In *rows[Operation::kLeafRows];
        Cursor<1> cursor(layout_.reduced, begin);
        if (layout_.consecutive) {
            for (std::int64_t row = 0; row < end - begin; ++row, cursor.next()) {
                rows[row] = reinterpret_cast<const In *>(x + cursor.offset[0]);
            }
            fold(rows, end - begin, width, states);
            return;
        }
        alignas(kVectorBytes) In block[Operation::kLeafRows * kScattered];
        for (std::int64_t row = 0; row < end - begin; ++row, cursor.next()) {
            In *to = block + row * kScattered;
            gather(x + cursor.offset[0], layout_.column_strides[0], to, width);
            rows[row] = to;
        }
        fold(rows, end - begin, width, states);
    }

    [[gnu::noinline]] void fold(const In *const *rows, std::int64_t count, std::int64_t width, State *states) const {
        operation_.rows(rows, count, width, states, plane_);
    }

    Operation operation_;
    ReductionLayout layout_;
    const char *x_;
    char *out_;
    std::int64_t plane_; // distance of the numbers of a state
    std::int64_t leaf_;  // elements of a run that are one leaf
};

template <typename Operation>
ndk_status reduce_with(const ndk_host *host, const ndk_tensor *x, const ndk_tensor *out,
                       const Operation &operation = {}) {
    return Reduction<Operation>(x, out, operation).run(host);
}

} // namespace ndk
#endif // NDK_REDUCTION_ENGINE_HPP
