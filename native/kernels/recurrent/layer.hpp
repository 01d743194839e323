// SPDX-License-Identifier: Apache-2.0
//
// What one layer works on: views with strides in elements, packed weights, and which sequences are computed together.
#ifndef NDK_RECURRENT_LAYER_HPP
#define NDK_RECURRENT_LAYER_HPP

#include "gemm/gemm.hpp"
#include "host.hpp"
#include "recurrent/tile.hpp"

namespace ndk::recurrent {

template <typename T, int Axes>
struct View {
    T *data = nullptr;
    std::int64_t strides[Axes] = {};

    template <typename... Index>
    T *at(Index... index) const {
        const std::int64_t at[] = {index...};
        T *element = data;
        for (std::size_t axis = 0; axis < sizeof...(Index); ++axis) {
            element += at[axis] * strides[axis];
        }
        return element;
    }
    std::int64_t last() const { return strides[Axes - 1]; }
};

template <typename T>
struct Layer {
    std::int64_t steps, batch, inputs, hidden;
    int directions;
    View<const T, 3> x; // time, batch, input
    View<T, 3> out;     // time, batch, direction * hidden + unit
    View<const T, 2> w_x[2], w_h[2];
    View<const T, 1> b_x[2], b_h[2];     // null where there is none
    View<const T, 3> first_h, first_c;   // direction, batch, unit; null for zeros
    View<T, 3> last_h, last_c;           // direction, batch, unit
    View<const std::int64_t, 1> lengths; // batch; null where all are `steps`
    View<T, 5> gates;                    // direction, time, batch, slot, unit; null unless kept
    View<T, 4> cells;                    // direction, time, batch, unit; null unless kept

    std::int64_t length(std::int64_t b) const { return lengths.data == nullptr ? steps : *lengths.at(b); }
};

// At which place of its sequence a step is.
inline std::int64_t time_of(int direction, std::int64_t length, std::int64_t step) {
    return direction == 0 ? step : length - 1 - step;
}

template <typename T>
[[gnu::always_inline]] inline void copy_run(const T *from, T *to, std::int64_t count) {
    std::int64_t i = 0;
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        store(to + i, load(from + i));
    }
    for (; i < count; ++i) {
        to[i] = from[i];
    }
}

// `count` elements of a view into consecutive memory, and back; without a view, zeros.
template <typename T>
[[gnu::noinline]] void read_run(const T *from, std::int64_t stride, T *to, std::int64_t count) {
    if (from == nullptr) {
        for (std::int64_t i = 0; i < count; ++i) {
            to[i] = 0;
        }
    } else if (stride == 1) {
        copy_run(from, to, count);
    } else {
        for (std::int64_t i = 0; i < count; ++i) {
            to[i] = from[i * stride];
        }
    }
}

template <typename T>
[[gnu::noinline]] void write_run(const T *from, T *to, std::int64_t stride, std::int64_t count) {
    if (stride == 1) {
        copy_run(from, to, count);
        return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
        to[i * stride] = from[i];
    }
}

// Rows that are a power of two apart would share few sets of the cache.
template <typename T>
std::int64_t row_stride(std::int64_t count) {
    return round_up(count, kTileColumns<T>) + 64 / static_cast<std::int64_t>(sizeof(T));
}

// The panels of block `block` of units: for each of `gates` gates, depth x kTileColumns elements; w is (gates * hidden,
// depth).
template <typename T>
void pack_block(const View<const T, 2> &w, std::int64_t gates, std::int64_t hidden, std::int64_t depth,
                std::int64_t block, T *to) {
    const std::int64_t unit = block * kTileColumns<T>;
    const std::int64_t units = hidden - unit < kTileColumns<T> ? hidden - unit : kTileColumns<T>;
    for (std::int64_t gate = 0; gate < gates; ++gate, to += depth * kTileColumns<T>) {
        pack_right_block(Matrix<const T>{w.at(gate * hidden + unit, std::int64_t{0}), w.strides[1], w.strides[0]},
                         depth, units, to);
    }
}

// Which sequences of a batch are computed together, longest first: those that a step is for are then the first ones.
class Rows {
public:
    static constexpr std::int64_t kMost = 96; // whole tiles; bounds the scratch memory of a thread

    template <typename AnyLayer>
    Rows(const AnyLayer &layer, std::int64_t begin, std::int64_t end) : count_(end - begin) {
        for (std::int64_t i = 0; i < count_; ++i) {
            const std::int64_t length = layer.length(begin + i);
            std::int64_t place = i;
            for (; place > 0 && length_[place - 1] < length; --place) {
                length_[place] = length_[place - 1];
                index_[place] = index_[place - 1];
            }
            length_[place] = length;
            index_[place] = begin + i;
        }
    }

    std::int64_t count() const { return count_; }
    std::int64_t index(std::int64_t row) const { return index_[row]; }
    std::int64_t length(std::int64_t row) const { return length_[row]; }
    std::int64_t steps() const { return length_[0]; }

    // How many of `most` rows have a step `step`.
    std::int64_t active(std::int64_t step, std::int64_t most) const {
        while (most > 0 && length_[most - 1] <= step) {
            --most;
        }
        return most;
    }

private:
    std::int64_t count_;
    std::int64_t index_[kMost];
    std::int64_t length_[kMost];
};

// How many blocks of rows a batch is cut into: `parts`, or as many as kMost asks for.
inline std::int64_t row_blocks(std::int64_t batch, std::int64_t parts) {
    const std::int64_t least = (batch + Rows::kMost - 1) / Rows::kMost;
    const std::int64_t blocks = parts > least ? parts : least;
    return blocks < batch ? blocks : batch;
}

} // namespace ndk::recurrent
#endif // NDK_RECURRENT_LAYER_HPP
