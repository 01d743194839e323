// SPDX-License-Identifier: Apache-2.0
//
// What one step does with the products of one unit, forward and backward, for LSTM (Hochreiter and Schmidhuber, Neural
// Computation 9(8), 1997, with the forget gate of Gers et al., 2000) and GRU (Cho et al., 2014, in the variant that
// applies the reset gate after the product, as torch.nn.GRU and ONNX with linear_before_reset = 1).
//
// A product has four slots of kTileColumns elements per row. Each cell says which slots its gates' products of the
// input (kX) and of the hidden state (kH) are added to; `kBias` says which slots start from the bias alone when the
// hidden state is multiplied.
#ifndef NDK_RECURRENT_CELLS_HPP
#define NDK_RECURRENT_CELLS_HPP

#include "recurrent/activations.hpp"
#include "recurrent/tile.hpp"

namespace ndk::recurrent {

// Gates in the order i, f, g, o:
//   c' = sigmoid(f) c + sigmoid(i) tanh(g),  h' = sigmoid(o) tanh(c')
template <typename T>
struct Lstm {
    static constexpr int kGates = 4;
    static constexpr bool kHasCell = true;
    static constexpr int kX[] = {0, 1, 2, 3};
    static constexpr int kH[] = {0, 1, 2, 3};
    static constexpr bool kBias[] = {false, false, false, false};

    // `slots`: four of kTileColumns elements, which become the gates' values where they are to be kept.
    template <bool Keep>
    [[gnu::always_inline]] static inline void forward(T *slots, const T *, T *h_next, T *c) {
        // Two loops, so that the processor need not wait for a cell before it begins with the next one's gates.
        for (std::int64_t j = 0; j < kTileColumns<T>; j += kLanes<T>) {
            const Quotient<T> i = sigmoid_quotient<T>(load(slots + j));
            const Quotient<T> f = sigmoid_quotient<T>(load(slots + kTileColumns<T> + j));
            const Quotient<T> g = tanh_quotient<T>(load(slots + 2 * kTileColumns<T> + j));
            const Quotient<T> o = sigmoid_quotient<T>(load(slots + 3 * kTileColumns<T> + j));
            const Vec<T> forgotten = f.value();
            store(c + j, forgotten * load(c + j) + product<T>(i, g));
            store(slots + 3 * kTileColumns<T> + j, o.denominator);
            if constexpr (Keep) {
                store(slots + j, i.value());
                store(slots + kTileColumns<T> + j, forgotten);
                store(slots + 2 * kTileColumns<T> + j, g.value());
            }
        }
        for (std::int64_t j = 0; j < kTileColumns<T>; j += kLanes<T>) {
            const Quotient<T> o{splat(T{1}), load(slots + 3 * kTileColumns<T> + j)};
            store(h_next + j, product<T>(o, tanh_quotient<T>(load(c + j))));
            if constexpr (Keep) {
                store(slots + 3 * kTileColumns<T> + j, o.value());
            }
        }
    }

    // The gradients of the products: of the input's in `slots`, of the hidden state's in `to`. `state` is the cell
    // before the step, `next` behind it; dh and dc are the gradients behind the step, and become what reaches the state
    // before it without a product.
    static void backward(std::int64_t count, T *const (&gates)[kSlots], T *const (&to)[kGates], const T *state,
                         const T *next_tanh, T *dh, T *dc) {
        for (std::int64_t j = 0; j < count; ++j) {
            const T i = gates[0][j];
            const T f = gates[1][j];
            const T g = gates[2][j];
            const T o = gates[3][j];
            const T squashed = next_tanh[j];
            const T d = dc[j] + dh[j] * o * (T{1} - squashed * squashed);
            to[0][j] = gates[0][j] = d * g * i * (T{1} - i);
            to[1][j] = gates[1][j] = d * state[j] * f * (T{1} - f);
            to[2][j] = gates[2][j] = d * i * (T{1} - g * g);
            to[3][j] = gates[3][j] = dh[j] * squashed * o * (T{1} - o);
            dc[j] = d * f;
            dh[j] = 0;
        }
    }
};

// Gates in the order r, z, n, and q, the part of n that the hidden state gives:
//   n = tanh(x part + sigmoid(r) q),  h' = (1 - sigmoid(z)) n + sigmoid(z) h
template <typename T>
struct Gru {
    static constexpr int kGates = 3;
    static constexpr bool kHasCell = false;
    static constexpr int kX[] = {0, 1, 2};
    static constexpr int kH[] = {0, 1, 3};
    static constexpr bool kBias[] = {false, false, true};

    template <bool Keep>
    [[gnu::always_inline]] static inline void forward(T *slots, const T *h, T *h_next, T *) {
        for (std::int64_t j = 0; j < kTileColumns<T>; j += kLanes<T>) {
            const Vec<T> r = sigmoid<T>(load(slots + j));
            const Vec<T> z = sigmoid<T>(load(slots + kTileColumns<T> + j));
            const Vec<T> n = tanh<T>(load(slots + 2 * kTileColumns<T> + j) + r * load(slots + 3 * kTileColumns<T> + j));
            store(h_next + j, (splat(T{1}) - z) * n + z * load(h + j));
            if constexpr (Keep) {
                store(slots + j, r);
                store(slots + kTileColumns<T> + j, z);
                store(slots + 2 * kTileColumns<T> + j, n);
            }
        }
    }

    static void backward(std::int64_t count, T *const (&gates)[kSlots], T *const (&to)[kGates], const T *state,
                         const T *, T *dh, T *) {
        for (std::int64_t j = 0; j < count; ++j) {
            const T r = gates[0][j];
            const T z = gates[1][j];
            const T n = gates[2][j];
            const T dn = dh[j] * (T{1} - z) * (T{1} - n * n);
            to[0][j] = gates[0][j] = dn * gates[3][j] * r * (T{1} - r);
            to[1][j] = gates[1][j] = dh[j] * (state[j] - n) * z * (T{1} - z);
            gates[2][j] = dn;
            to[2][j] = gates[3][j] = dn * r;
            dh[j] *= z;
        }
    }
};

} // namespace ndk::recurrent
#endif // NDK_RECURRENT_CELLS_HPP
