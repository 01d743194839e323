// SPDX-License-Identifier: Apache-2.0
//
// One layer forward. The weights are packed once. The products of the input are computed for several steps at once,
// those of the hidden state step by step; a block of kTileColumns units gets its gates while the products are in the L1
// cache.
//
// Threads take blocks of the batch and directions, and never wait for each other; a batch that is too small for that is
// cut by units, and the threads meet at every step. Either way an element is the same sum in the same order.
//
// Scratch memory: the packed weights (those of x's size once more), and for each thread 96 rows of x and of four gates,
// and the states of up to 96 sequences: (inputs + 7 * hidden) * 96 elements, whatever the batch and the number of
// steps.
#ifndef NDK_RECURRENT_FORWARD_HPP
#define NDK_RECURRENT_FORWARD_HPP

#include "recurrent/cells.hpp"
#include "recurrent/layer.hpp"

namespace ndk::recurrent {

constexpr std::int64_t kGrain = std::int64_t{1} << 20; // multiplications that are worth another thread

template <typename T, typename Cell>
class Forward {
public:
    Forward(const ndk_host *host, const Layer<T> &layer)
        : host_(host), layer_(layer), blocks_(round_up(layer.hidden, kTileColumns<T>) / kTileColumns<T>),
          state_row_(row_stride<T>(layer.hidden)), x_row_(row_stride<T>(layer.inputs)) {}

    // Elements of packed weights.
    std::int64_t packed_size() const { return layer_.directions * direction_size(); }
    void pack(T *packed) const { pack_directions(packed, direction_size()); }

    // `kept` are packed weights, or null.
    ndk_status run(const T *kept) const {
        const std::int64_t weights = direction_size();
        const Scratch<T> scratch_weights(host_, kept != nullptr ? 0 : packed_size());
        if (kept == nullptr && scratch_weights.get() == nullptr) {
            return NDK_OUT_OF_MEMORY;
        }
        if (kept == nullptr) {
            pack(scratch_weights.get());
        }
        const T *const packed = kept != nullptr ? kept : scratch_weights.get();
        const std::int64_t panel = Cell::kGates * kTileColumns<T>;

        // In units of 1024 multiplications, so that nothing overflows.
        const std::int64_t step_work = blocks_ * panel * (layer_.inputs + layer_.hidden) / 1024 + 1;
        const std::int64_t rows_work = saturating(step_work, saturating(layer_.steps, layer_.batch));
        const std::int64_t parts = parts_for(host_, saturating(rows_work, layer_.directions) / (kGrain / 1024));
        const std::int64_t blocks = row_blocks(layer_.batch, (parts + layer_.directions - 1) / layer_.directions);
        const std::int64_t jobs = blocks * layer_.directions;
        const std::int64_t meeting = parts_for(host_, saturating(step_work, layer_.batch) / (kGrain / 1024));
        const bool by_units = jobs < parts && meeting > jobs && blocks_ > 1;
        const std::int64_t dealers = by_units ? 1 : (parts < jobs ? parts : jobs);

        bool out_of_memory = false;
        parallel_for(host_, dealers, [&](std::int64_t dealer) {
            const std::int64_t rows = (layer_.batch + blocks - 1) / blocks;
            const std::int64_t chunk = rows > kChunk ? rows : kChunk;
            const Scratch<T> scratch(host_, chunk * x_row_ + blocks_ * chunk * kSlot * kSlots + 3 * rows * state_row_);
            if (scratch.get() == nullptr) {
                __atomic_store_n(&out_of_memory, true, __ATOMIC_RELAXED);
                return;
            }
            const std::int64_t end = part_begin(jobs, dealers, dealer + 1, 1);
            for (std::int64_t job = part_begin(jobs, dealers, dealer, 1); job < end; ++job) {
                const int direction = static_cast<int>(job / blocks);
                const Rows block(layer_, part_begin(layer_.batch, blocks, job % blocks, 1),
                                 part_begin(layer_.batch, blocks, job % blocks + 1, 1));
                Work work{direction, packed + direction * weights, block, chunk, scratch.get(),
                          rows,      by_units ? meeting : 1};
                run_block(work);
            }
        });
        return out_of_memory ? NDK_OUT_OF_MEMORY : NDK_OK;
    }

private:
    static constexpr std::int64_t kSlot = kTileColumns<T>;

    static constexpr std::int64_t kChunk = 96; // rows whose input is multiplied together: whole tiles

    static std::int64_t saturating(std::int64_t x1, std::int64_t x2) {
        std::int64_t result = 0;
        return __builtin_mul_overflow(x1, x2, &result) ? INT64_MAX : result;
    }

    struct Work {
        int direction;
        const T *weights;
        const Rows &rows;
        std::int64_t chunk;
        T *scratch;
        std::int64_t most_rows;
        std::int64_t parts; // that blocks of units are dealt to
    };

    // The packed weights of one direction: of the input, of the hidden state, and the biases by slot.
    const T *x_panels(const T *weights, std::int64_t block) const {
        return weights + block * Cell::kGates * kSlot * layer_.inputs;
    }
    const T *h_panels(const T *weights, std::int64_t block) const {
        return x_panels(weights, blocks_) + block * Cell::kGates * kSlot * layer_.hidden;
    }
    const T *biases(const T *weights, std::int64_t block) const {
        return h_panels(weights, blocks_) + block * kSlot * kSlots;
    }

    std::int64_t direction_size() const {
        const std::int64_t panel = Cell::kGates * kTileColumns<T>;
        return blocks_ * panel * (layer_.inputs + layer_.hidden) + blocks_ * kSlot * kSlots;
    }

    void pack_directions(T *packed, std::int64_t weights) const {
        const std::int64_t jobs = layer_.directions * blocks_;
        const std::int64_t parts = parts_for(host_, layer_.directions * weights / (kGrain / 4));
        parallel_for(host_, parts, [&](std::int64_t part) {
            const std::int64_t end = part_begin(jobs, parts, part + 1, 1);
            for (std::int64_t job = part_begin(jobs, parts, part, 1); job < end; ++job) {
                const std::int64_t direction = job / blocks_;
                const std::int64_t block = job % blocks_;
                T *to = packed + direction * weights;
                pack_block(layer_.w_x[direction], Cell::kGates, layer_.hidden, layer_.inputs, block,
                           const_cast<T *>(x_panels(to, block)));
                pack_block(layer_.w_h[direction], Cell::kGates, layer_.hidden, layer_.hidden, block,
                           const_cast<T *>(h_panels(to, block)));
                pack_bias(direction, block, const_cast<T *>(biases(to, block)));
            }
        });
    }

    void pack_bias(std::int64_t direction, std::int64_t block, T *to) const {
        for (std::int64_t i = 0; i < kSlots * kSlot; ++i) {
            to[i] = 0;
        }
        for (std::int64_t gate = 0; gate < Cell::kGates; ++gate) {
            for (std::int64_t j = 0; j < kSlot && block * kSlot + j < layer_.hidden; ++j) {
                const std::int64_t row = gate * layer_.hidden + block * kSlot + j;
                const View<const T, 1> &x = layer_.b_x[direction];
                const View<const T, 1> &h = layer_.b_h[direction];
                to[Cell::kX[gate] * kSlot + j] += x.data == nullptr ? T{0} : *x.at(row);
                to[Cell::kH[gate] * kSlot + j] += h.data == nullptr ? T{0} : *h.at(row);
            }
        }
    }

    template <typename Body>
    void for_blocks(std::int64_t parts, const Body &body) const {
        parallel_for(host_, parts, [&](std::int64_t part) {
            body(part_begin(blocks_, parts, part, 1), part_begin(blocks_, parts, part + 1, 1));
        });
    }

    // The slots of a row of the chunk
    static T *slots_at(const Work &work, T *slots, std::int64_t block, std::int64_t row) {
        return slots + (block * work.chunk + row) * kSlot * kSlots;
    }

    void run_block(const Work &work) const {
        T *x = work.scratch;
        T *slots = x + work.chunk * x_row_;
        T *h = slots + blocks_ * work.chunk * kSlot * kSlots;
        T *h_next = h + work.most_rows * state_row_;
        T *c = h_next + work.most_rows * state_row_;
        start(work, h, h_next, c);
        const Rows &rows = work.rows;
        std::int64_t active = rows.active(0, rows.count());
        for (std::int64_t step = 0; active > 0;) {
            std::int64_t end = step;
            std::int64_t count = 0;
            for (std::int64_t now = active; now > 0 && count + now <= work.chunk; now = rows.active(end, now)) {
                read_inputs(work, end, now, x + count * x_row_);
                count += now;
                ++end;
            }
            for_blocks(work.parts, [&](std::int64_t begin_block, std::int64_t end_block) {
                for (std::int64_t block = begin_block; block < end_block; ++block) {
                    multiply_inputs(work, x, count, block, slots);
                }
            });
            for (std::int64_t row = 0; step < end; ++step) {
                for_blocks(work.parts, [&](std::int64_t begin_block, std::int64_t end_block) {
                    for (std::int64_t i = begin_block; i < end_block; ++i) {
                        // There and back, so that what the cache still has of the weights is used first.
                        const std::int64_t block = step % 2 == 0 ? i : begin_block + end_block - 1 - i;
                        advance(work, block, active, h, slots_at(work, slots, block, row), h_next, c);
                    }
                });
                write_step(work, step, active, row, slots, h_next, c);
                row += active;
                active = rows.active(step + 1, active);
                T *const old = h;
                h = h_next;
                h_next = old;
            }
        }
    }

    // The states before the first step, the zeros behind the ends, and the results of sequences without any step.
    void start(const Work &work, T *h, T *h_next, T *c) const {
        for (std::int64_t row = 0; row < work.rows.count(); ++row) {
            const std::int64_t b = work.rows.index(row);
            const std::int64_t direction = work.direction;
            for (std::int64_t j = 0; j < state_row_; ++j) {
                h[row * state_row_ + j] = h_next[row * state_row_ + j] = c[row * state_row_ + j] = 0;
            }
            if (layer_.first_h.data != nullptr) {
                read_run(layer_.first_h.at(direction, b), layer_.first_h.last(), h + row * state_row_, layer_.hidden);
            }
            if (Cell::kHasCell && layer_.first_c.data != nullptr) {
                read_run(layer_.first_c.at(direction, b), layer_.first_c.last(), c + row * state_row_, layer_.hidden);
            }
            if (work.rows.length(row) == 0) {
                write_last(work, row, h, c);
            }
            for (std::int64_t t = work.rows.length(row); t < layer_.steps; ++t) {
                T *out = layer_.out.at(t, b, direction * layer_.hidden);
                for (std::int64_t j = 0; j < layer_.hidden; ++j) {
                    out[j * layer_.out.last()] = 0;
                }
            }
        }
    }

    void read_inputs(const Work &work, std::int64_t step, std::int64_t active, T *x) const {
        for (std::int64_t row = 0; row < active; ++row) {
            const std::int64_t t = time_of(work.direction, work.rows.length(row), step);
            read_run(layer_.x.at(t, work.rows.index(row)), layer_.x.last(), x + row * x_row_, layer_.inputs);
        }
    }

    void multiply_inputs(const Work &work, const T *x, std::int64_t count, std::int64_t block, T *slots) const {
        Products<T> products{layer_.inputs, x, x_row_, {}, {}, {}, {}, kSlot * kSlots};
        for (int gate = 0; gate < Cell::kGates; ++gate) {
            products.b[gate] = x_panels(work.weights, block) + gate * layer_.inputs * kSlot;
            products.base[gate] = biases(work.weights, block) + Cell::kX[gate] * kSlot;
            products.c[gate] = slots_at(work, slots, block, 0) + Cell::kX[gate] * kSlot;
        }
        multiply_rows<T, Cell::kGates>(products, count);
    }

    void advance(const Work &work, std::int64_t block, std::int64_t active, const T *h, T *slots, T *h_next,
                 T *c) const {
        Products<T> products{layer_.hidden, h, state_row_, {}, {}, {}, {}, kSlot * kSlots};
        for (int gate = 0; gate < Cell::kGates; ++gate) {
            T *slot = slots + Cell::kH[gate] * kSlot;
            products.b[gate] = h_panels(work.weights, block) + gate * layer_.hidden * kSlot;
            products.base[gate] = Cell::kBias[gate] ? biases(work.weights, block) + Cell::kH[gate] * kSlot : slot;
            products.base_row[gate] = Cell::kBias[gate] ? 0 : kSlot * kSlots;
            products.c[gate] = slot;
        }
        multiply_rows<T, Cell::kGates>(products, active);
        const std::int64_t unit = block * kSlot;
        for (std::int64_t row = 0; row < active; ++row, slots += kSlot * kSlots) {
            const std::int64_t at = row * state_row_ + unit;
            if (layer_.gates.data != nullptr) {
                Cell::template forward<true>(slots, h + at, h_next + at, c + at);
            } else {
                Cell::template forward<false>(slots, h + at, h_next + at, c + at);
            }
        }
    }

    void write_step(const Work &work, std::int64_t step, std::int64_t active, std::int64_t chunk_row, T *slots,
                    const T *h, const T *c) const {
        const std::int64_t direction = work.direction;
        for (std::int64_t row = 0; row < active; ++row) {
            const std::int64_t b = work.rows.index(row);
            const std::int64_t t = time_of(work.direction, work.rows.length(row), step);
            write_run(h + row * state_row_, layer_.out.at(t, b, direction * layer_.hidden), layer_.out.last(),
                      layer_.hidden);
            if (layer_.gates.data != nullptr) {
                keep_step(work, t, row, chunk_row + row, slots, c);
            }
            if (step + 1 == work.rows.length(row)) {
                write_last(work, row, h, c);
            }
        }
    }

    void keep_step(const Work &work, std::int64_t t, std::int64_t row, std::int64_t chunk_row, T *slots,
                   const T *c) const {
        const std::int64_t direction = work.direction;
        const std::int64_t b = work.rows.index(row);
        for (std::int64_t block = 0; block < blocks_; ++block) {
            const std::int64_t unit = block * kSlot;
            const std::int64_t units = layer_.hidden - unit < kSlot ? layer_.hidden - unit : kSlot;
            for (std::int64_t slot = 0; slot < kSlots; ++slot) {
                write_run(slots_at(work, slots, block, chunk_row) + slot * kSlot,
                          layer_.gates.at(direction, t, b, slot, unit), layer_.gates.last(), units);
            }
        }
        if (Cell::kHasCell) {
            write_run(c + row * state_row_, layer_.cells.at(direction, t, b), layer_.cells.last(), layer_.hidden);
        }
    }

    void write_last(const Work &work, std::int64_t row, const T *h, const T *c) const {
        const std::int64_t direction = work.direction;
        const std::int64_t b = work.rows.index(row);
        write_run(h + row * state_row_, layer_.last_h.at(direction, b), layer_.last_h.last(), layer_.hidden);
        if (Cell::kHasCell) {
            write_run(c + row * state_row_, layer_.last_c.at(direction, b), layer_.last_c.last(), layer_.hidden);
        }
    }

    const ndk_host *host_;
    const Layer<T> &layer_;
    std::int64_t blocks_; // of kTileColumns units
    std::int64_t state_row_;
    std::int64_t x_row_;
};

} // namespace ndk::recurrent
#endif // NDK_RECURRENT_FORWARD_HPP
