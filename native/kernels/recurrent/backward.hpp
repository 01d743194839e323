// SPDX-License-Identifier: Apache-2.0
//
// Back-propagation through time of one direction of a layer (Werbos, Proceedings of the IEEE 78(10), 1990): from the
// last step to the first, the gradients of the gates' products, from which matrix products give those of the weights
// and of x.
//
// Scratch memory: the packed weights of the hidden state, and for each thread (gates + 10) * hidden * 96 elements.
#ifndef NDK_RECURRENT_BACKWARD_HPP
#define NDK_RECURRENT_BACKWARD_HPP

#include "recurrent/cells.hpp"
#include "recurrent/layer.hpp"

namespace ndk::recurrent {

template <typename T>
struct BackwardLayer {
    std::int64_t steps, batch, hidden;
    int direction;
    View<const T, 3> grad;   // of the output: time, batch, unit
    View<const T, 4> gates;  // time, batch, slot, unit
    View<const T, 3> states; // the cells of an LSTM, the output of a GRU: time, batch, unit
    View<const T, 2> first;  // the same before the first step: batch, unit; null for zeros
    View<const T, 2> w_h;
    View<const T, 2> grad_h, grad_c;     // of the last states; null for zeros
    View<const std::int64_t, 1> lengths; // null where all are `steps`
    View<T, 4> grad_gates;               // time, batch, slot, unit
    View<T, 2> grad_first_h, grad_first_c;

    std::int64_t length(std::int64_t b) const { return lengths.data == nullptr ? steps : *lengths.at(b); }
};

template <typename T, typename Cell>
class Backward {
public:
    Backward(const ndk_host *host, const BackwardLayer<T> &layer)
        : host_(host), layer_(layer), depth_(Cell::kGates * layer.hidden),
          blocks_(round_up(layer.hidden, kTileColumns<T>) / kTileColumns<T>), state_row_(row_stride<T>(layer.hidden)),
          depth_row_(row_stride<T>(depth_)) {}

    ndk_status run() const {
        const Scratch<T> packed(host_, blocks_ * kTileColumns<T> * depth_);
        if (packed.get() == nullptr) {
            return NDK_OUT_OF_MEMORY;
        }
        const View<const T, 2> transposed{layer_.w_h.data, {layer_.w_h.strides[1], layer_.w_h.strides[0]}};
        for (std::int64_t block = 0; block < blocks_; ++block) {
            pack_block(transposed, 1, layer_.hidden, depth_, block, packed.get() + block * kTileColumns<T> * depth_);
        }
        const std::int64_t step_work = layer_.hidden * depth_ / 1024 + 1;
        std::int64_t work = 0;
        if (__builtin_mul_overflow(step_work, layer_.batch, &work) ||
            __builtin_mul_overflow(work, layer_.steps, &work)) {
            work = INT64_MAX;
        }
        const std::int64_t parts = parts_for(host_, work / 1024);
        const std::int64_t blocks = row_blocks(layer_.batch, parts);
        const std::int64_t dealers = parts < blocks ? parts : blocks;
        bool out_of_memory = false;
        parallel_for(host_, dealers, [&](std::int64_t dealer) {
            const std::int64_t most = (layer_.batch + blocks - 1) / blocks;
            const Scratch<T> scratch(host_, most * (depth_row_ + 2 * state_row_) + kLineCount * state_row_);
            if (scratch.get() == nullptr) {
                __atomic_store_n(&out_of_memory, true, __ATOMIC_RELAXED);
                return;
            }
            const std::int64_t end = part_begin(blocks, dealers, dealer + 1, 1);
            for (std::int64_t block = part_begin(blocks, dealers, dealer, 1); block < end; ++block) {
                const Rows rows(layer_, part_begin(layer_.batch, blocks, block, 1),
                                part_begin(layer_.batch, blocks, block + 1, 1));
                run_block(rows, packed.get(), scratch.get(), most);
            }
        });
        return out_of_memory ? NDK_OUT_OF_MEMORY : NDK_OK;
    }

private:
    // Lines of one row's units: the four slots, the states before and behind the step, and the output's gradient.
    static constexpr int kBefore = kSlots;
    static constexpr int kBehind = kSlots + 1;
    static constexpr int kGrad = kSlots + 2;
    static constexpr int kLineCount = kSlots + 3;

    void run_block(const Rows &rows, const T *packed, T *scratch, std::int64_t most) const {
        T *products = scratch; // the gradients of the hidden state's products
        T *dh = products + most * depth_row_;
        T *dc = dh + most * state_row_;
        T *lines = dc + most * state_row_;
        for (std::int64_t row = 0; row < rows.count(); ++row) {
            start(rows, row, dh + row * state_row_, dc + row * state_row_, lines);
        }
        for (std::int64_t step = rows.steps() - 1; step >= 0; --step) {
            const std::int64_t active = rows.active(step, rows.count());
            for (std::int64_t row = 0; row < active; ++row) {
                step_back(rows, row, step, products + row * depth_row_, dh + row * state_row_, dc + row * state_row_,
                          lines);
            }
            for (std::int64_t block = 0; block < blocks_; ++block) {
                T *to = dh + block * kTileColumns<T>;
                multiply_rows<T, 1>({depth_,
                                     products,
                                     depth_row_,
                                     {packed + block * kTileColumns<T> * depth_},
                                     {to},
                                     {state_row_},
                                     {to},
                                     state_row_},
                                    active);
            }
        }
        for (std::int64_t row = 0; row < rows.count(); ++row) {
            const std::int64_t b = rows.index(row);
            write_run(dh + row * state_row_, layer_.grad_first_h.at(b), layer_.grad_first_h.last(), layer_.hidden);
            if (Cell::kHasCell) {
                write_run(dc + row * state_row_, layer_.grad_first_c.at(b), layer_.grad_first_c.last(), layer_.hidden);
            }
        }
    }

    // The gradients behind a row's last step, and zeros behind its end.
    void start(const Rows &rows, std::int64_t row, T *dh, T *dc, T *line) const {
        const std::int64_t b = rows.index(row);
        for (std::int64_t j = 0; j < state_row_; ++j) {
            dh[j] = dc[j] = line[j] = 0;
        }
        if (layer_.grad_h.data != nullptr) {
            read_run(layer_.grad_h.at(b), layer_.grad_h.last(), dh, layer_.hidden);
        }
        if (layer_.grad_c.data != nullptr) {
            read_run(layer_.grad_c.at(b), layer_.grad_c.last(), dc, layer_.hidden);
        }
        for (std::int64_t t = rows.length(row); t < layer_.steps; ++t) {
            for (std::int64_t slot = 0; slot < kSlots; ++slot) {
                write_run(line, layer_.grad_gates.at(t, b, slot), layer_.grad_gates.last(), layer_.hidden);
            }
        }
    }

    void step_back(const Rows &rows, std::int64_t row, std::int64_t step, T *products, T *dh, T *dc, T *lines) const {
        const std::int64_t b = rows.index(row);
        const std::int64_t t = time_of(layer_.direction, rows.length(row), step);
        T *gates[kSlots];
        for (std::int64_t slot = 0; slot < kSlots; ++slot) {
            gates[slot] = lines + slot * state_row_;
            read_run<T>(layer_.gates.at(t, b, slot), layer_.gates.last(), gates[slot], layer_.hidden);
        }
        T *before = lines + kBefore * state_row_;
        T *behind = lines + kBehind * state_row_;
        T *grad = lines + kGrad * state_row_;
        if (step > 0) {
            const std::int64_t earlier = time_of(layer_.direction, rows.length(row), step - 1);
            read_run<T>(layer_.states.at(earlier, b), layer_.states.last(), before, layer_.hidden);
        } else {
            read_run<T>(layer_.first.data == nullptr ? nullptr : layer_.first.at(b), layer_.first.last(), before,
                        layer_.hidden);
        }
        read_run<T>(layer_.grad.at(t, b), layer_.grad.last(), grad, layer_.hidden);
        for (std::int64_t j = 0; j < layer_.hidden; ++j) {
            dh[j] += grad[j];
        }
        if (Cell::kHasCell) {
            read_run<T>(layer_.states.at(t, b), layer_.states.last(), behind, layer_.hidden);
            for (std::int64_t j = 0; j < layer_.hidden; j += kLanes<T>) { // lines are longer than that
                store(behind + j, tanh<T>(load(behind + j)));
            }
        }
        T *to[Cell::kGates];
        for (int gate = 0; gate < Cell::kGates; ++gate) {
            to[gate] = products + gate * layer_.hidden;
        }
        Cell::backward(layer_.hidden, gates, to, before, behind, dh, dc);
        for (std::int64_t slot = 0; slot < kSlots; ++slot) {
            write_run(gates[slot], layer_.grad_gates.at(t, b, slot), layer_.grad_gates.last(), layer_.hidden);
        }
    }

    const ndk_host *host_;
    const BackwardLayer<T> &layer_;
    std::int64_t depth_; // of the products that lead back to the hidden state
    std::int64_t blocks_;
    std::int64_t state_row_;
    std::int64_t depth_row_;
};

} // namespace ndk::recurrent
#endif // NDK_RECURRENT_BACKWARD_HPP
