// SPDX-License-Identifier: Apache-2.0
//
// From a call to a layer, for every cell. What the tensors are:
//
// Forward. Inputs: x (steps, batch, inputs), or (batch, steps, inputs), or (steps, inputs) for one sequence; the states
// before the first step, h and for an LSTM c (directions, batch, hidden), which may be missing; lengths (batch), int64,
// or missing; then for each direction w_x (gates * hidden, inputs), w_h (gates * hidden, hidden), b_x and b_h (gates *
// hidden), which may be missing. Outputs: the sequence of h with its axes as x and directions * hidden features; the
// last h and for an LSTM the last c (directions, batch, hidden); and where back-propagation is to follow, the gates'
// values (directions, steps, batch, 4, hidden) and for an LSTM the cells (directions, steps, batch, hidden), undefined
// behind a sequence's end. Integers: whether x is batch first.
//
// Pack. Inputs: w_x, w_h, b_x and b_h for each direction, as forward has them; output as ndk_packed says.
//
// Backward, of one direction. Inputs: the gradient of the sequence of h (steps, batch, hidden); gates (steps, batch, 4,
// hidden) from forward; the cells of an LSTM or the outputs of a GRU (steps, batch, hidden); w_h; the state before the
// first step (batch, hidden), lengths, the gradients of the last h and for an LSTM of the last c (batch, hidden), each
// of which may be missing. Outputs: the gradients of the gates' products (steps, batch, 4, hidden), zeros behind a
// sequence's end; of the first h and for an LSTM of the first c (batch, hidden). Integers: the direction, 1 for the
// reverse one.
#ifndef NDK_RECURRENT_OPERATORS_HPP
#define NDK_RECURRENT_OPERATORS_HPP

#include "packed.hpp"
#include "recurrent/arguments.hpp"
#include "recurrent/backward.hpp"
#include "recurrent/forward.hpp"

namespace ndk::recurrent {

// The tensors of a call in their order
class Reader {
public:
    explicit Reader(const ndk_tensor *const *tensors) : next_(tensors) {}
    const ndk_tensor *take() { return *next_++; }
    const ndk_tensor *take_if(bool there) { return there ? take() : nullptr; }

private:
    const ndk_tensor *const *next_;
};

// Weights and biases of all directions, whose numbers of inputs and units are known. Whether they fit.
template <typename Cell, typename T>
bool read_weights(Reader &inputs, std::int32_t dtype, Layer<T> &layer) {
    for (int direction = 0; direction < layer.directions; ++direction) {
        const std::int64_t rows = Cell::kGates * layer.hidden;
        const ndk_tensor *w_x = inputs.take();
        const ndk_tensor *w_h = inputs.take();
        const ndk_tensor *b_x = inputs.take();
        const ndk_tensor *b_h = inputs.take();
        if (w_x == nullptr || w_h == nullptr || !has_shape(w_x, dtype, {rows, layer.inputs}) ||
            !has_shape(w_h, dtype, {rows, layer.hidden}) || !may_have_shape(b_x, dtype, {rows}) ||
            !may_have_shape(b_h, dtype, {rows})) {
            return false;
        }
        layer.w_x[direction] = view_of<const T, 2>(w_x);
        layer.w_h[direction] = view_of<const T, 2>(w_h);
        layer.b_x[direction] = view_of<const T, 1>(b_x);
        layer.b_h[direction] = view_of<const T, 1>(b_h);
    }
    return true;
}

template <typename Cell, typename T>
PackedKey key_of(const Layer<T> &layer, std::int32_t dtype) {
    return PackedKey(PackedKind::kRecurrent, dtype, {Cell::kGates, layer.directions, layer.inputs, layer.hidden});
}

template <typename T, template <typename> typename CellOf>
ndk_status forward_typed(const ndk_call *call, int directions, bool keep) {
    using Cell = CellOf<T>;
    Reader inputs(call->inputs);
    Reader outputs(call->outputs);
    const ndk_tensor *x = inputs.take();
    const std::int32_t dtype = x->dtype;
    const ndk_tensor *out = outputs.take();
    const bool batch_first = call->integers[0] != 0;
    if ((x->ndim != 2 && x->ndim != 3) || out->ndim != x->ndim || out->dtype != dtype ||
        (x->ndim == 2 && batch_first)) {
        return NDK_INVALID_ARGUMENT;
    }
    Layer<T> layer{};
    layer.steps = x->shape[batch_first ? 1 : 0];
    layer.batch = x->ndim == 2 ? 1 : x->shape[batch_first ? 0 : 1];
    layer.inputs = x->shape[x->ndim - 1];
    layer.hidden = out->shape[out->ndim - 1] / directions;
    layer.directions = directions;
    for (std::int32_t axis = 0; axis + 1 < x->ndim; ++axis) {
        if (out->shape[axis] != x->shape[axis]) {
            return NDK_INVALID_ARGUMENT;
        }
    }
    if (layer.inputs > kMostFeatures || layer.hidden > kMostFeatures) {
        return NDK_OUT_OF_MEMORY;
    }
    layer.x = sequence_of<const T>(x, batch_first);
    layer.out = sequence_of<T>(out, batch_first);
    const ndk_tensor *first_h = inputs.take();
    const ndk_tensor *first_c = inputs.take_if(Cell::kHasCell);
    const ndk_tensor *lengths = inputs.take();
    const ndk_tensor *last_h = outputs.take();
    const ndk_tensor *last_c = outputs.take_if(Cell::kHasCell);
    const ndk_tensor *gates = outputs.take_if(keep);
    const ndk_tensor *cells = outputs.take_if(keep && Cell::kHasCell);
    const auto states = {std::int64_t{directions}, layer.batch, layer.hidden};
    if (out->shape[out->ndim - 1] != layer.hidden * directions || !may_have_shape(first_h, dtype, states) ||
        !may_have_shape(first_c, dtype, states) || !may_have_shape(lengths, NDK_INT64, {layer.batch}) ||
        !has_shape(last_h, dtype, states) || !may_have_shape(last_c, dtype, states) ||
        !may_have_shape(gates, dtype, {directions, layer.steps, layer.batch, kSlots, layer.hidden}) ||
        !may_have_shape(cells, dtype, {directions, layer.steps, layer.batch, layer.hidden})) {
        return NDK_INVALID_ARGUMENT;
    }
    layer.first_h = view_of<const T, 3>(first_h);
    layer.first_c = view_of<const T, 3>(first_c);
    layer.last_h = view_of<T, 3>(last_h);
    layer.last_c = view_of<T, 3>(last_c);
    layer.gates = view_of<T, 5>(gates);
    layer.cells = view_of<T, 4>(cells);
    layer.lengths = view_of<const std::int64_t, 1>(lengths);
    if (!read_weights<Cell>(inputs, dtype, layer)) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!lengths_fit(layer.lengths, layer.batch, layer.steps)) {
        return NDK_INVALID_ARGUMENT;
    }
    if (layer.batch == 0 || layer.hidden == 0) {
        return NDK_OK;
    }
    return Forward<T, Cell>(call->host, layer).run(packed_weights<T>(call, key_of<Cell>(layer, dtype)));
}

template <template <typename> typename CellOf>
ndk_status forward(const ndk_call *call) {
    constexpr bool kHasCell = CellOf<float>::kHasCell;
    constexpr std::int32_t kStates = kHasCell ? 2 : 1;
    const int directions = call->input_count > 2 + kStates + 4 ? 2 : 1;
    const bool keep = call->output_count > 1 + kStates;
    const ndk_status status = check_call(call, 2 + kStates + 4 * directions, 1 + kStates + 4 * directions,
                                         1 + kStates + (keep ? kStates : 0), 1, 0);
    if (status != NDK_OK) {
        return status;
    }
    if (!is_float(call->inputs[0]->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    return call->inputs[0]->dtype == NDK_FLOAT32 ? forward_typed<float, CellOf>(call, directions, keep)
                                                 : forward_typed<double, CellOf>(call, directions, keep);
}

template <typename T, template <typename> typename CellOf>
ndk_status pack_typed(const ndk_call *call, int directions) {
    using Cell = CellOf<T>;
    const ndk_tensor *w_x = call->inputs[0];
    const ndk_tensor *w_h = call->inputs[1];
    if (w_h == nullptr || w_x->ndim != 2 || w_h->ndim != 2) {
        return NDK_INVALID_ARGUMENT;
    }
    Layer<T> layer{};
    layer.inputs = w_x->shape[1];
    layer.hidden = w_h->shape[1];
    layer.directions = directions;
    if (layer.inputs > kMostFeatures || layer.hidden > kMostFeatures) {
        return NDK_OUT_OF_MEMORY;
    }
    Reader inputs(call->inputs);
    if (!read_weights<Cell>(inputs, w_x->dtype, layer)) {
        return NDK_INVALID_ARGUMENT;
    }
    const Forward<T, Cell> network(call->host, layer);
    return pack_weights<T>(call, key_of<Cell>(layer, w_x->dtype), network.packed_size(), [&](T *to) {
        network.pack(to);
        return NDK_OK;
    });
}

template <template <typename> typename CellOf>
ndk_status pack(const ndk_call *call) {
    const int directions = call->input_count > 4 ? 2 : 1;
    if (const ndk_status status = check_call(call, 4 * directions, 4 * directions - 1, 1, 0, 0); status != NDK_OK) {
        return status;
    }
    if (!is_float(call->inputs[0]->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    return call->inputs[0]->dtype == NDK_FLOAT32 ? pack_typed<float, CellOf>(call, directions)
                                                 : pack_typed<double, CellOf>(call, directions);
}

template <typename T, template <typename> typename CellOf>
ndk_status backward_typed(const ndk_call *call) {
    using Cell = CellOf<T>;
    Reader inputs(call->inputs);
    Reader outputs(call->outputs);
    const ndk_tensor *grad = inputs.take();
    const std::int32_t dtype = grad->dtype;
    if (grad->ndim != 3 || call->integers[0] < 0 || call->integers[0] > 1) {
        return NDK_INVALID_ARGUMENT;
    }
    BackwardLayer<T> layer{};
    layer.steps = grad->shape[0];
    layer.batch = grad->shape[1];
    layer.hidden = grad->shape[2];
    layer.direction = static_cast<int>(call->integers[0]);
    if (layer.hidden > kMostFeatures) {
        return NDK_OUT_OF_MEMORY;
    }
    const ndk_tensor *gates = inputs.take();
    const ndk_tensor *states = inputs.take();
    const ndk_tensor *w_h = inputs.take();
    const ndk_tensor *first = inputs.take();
    const ndk_tensor *lengths = inputs.take();
    const ndk_tensor *grad_h = inputs.take();
    const ndk_tensor *grad_c = inputs.take_if(Cell::kHasCell);
    const ndk_tensor *grad_gates = outputs.take();
    const ndk_tensor *grad_first_h = outputs.take();
    const ndk_tensor *grad_first_c = outputs.take_if(Cell::kHasCell);
    const auto state = {layer.batch, layer.hidden};
    const auto slots = {layer.steps, layer.batch, std::int64_t{kSlots}, layer.hidden};
    if (!has_shape(gates, dtype, slots) || !has_shape(states, dtype, {layer.steps, layer.batch, layer.hidden}) ||
        !has_shape(w_h, dtype, {Cell::kGates * layer.hidden, layer.hidden}) || !may_have_shape(first, dtype, state) ||
        !may_have_shape(lengths, NDK_INT64, {layer.batch}) || !may_have_shape(grad_h, dtype, state) ||
        !may_have_shape(grad_c, dtype, state) || !has_shape(grad_gates, dtype, slots) ||
        !has_shape(grad_first_h, dtype, state) || !may_have_shape(grad_first_c, dtype, state)) {
        return NDK_INVALID_ARGUMENT;
    }
    layer.grad = view_of<const T, 3>(grad);
    layer.gates = view_of<const T, 4>(gates);
    layer.states = view_of<const T, 3>(states);
    layer.first = view_of<const T, 2>(first);
    layer.w_h = view_of<const T, 2>(w_h);
    layer.grad_h = view_of<const T, 2>(grad_h);
    layer.grad_c = view_of<const T, 2>(grad_c);
    layer.lengths = view_of<const std::int64_t, 1>(lengths);
    layer.grad_gates = view_of<T, 4>(grad_gates);
    layer.grad_first_h = view_of<T, 2>(grad_first_h);
    layer.grad_first_c = view_of<T, 2>(grad_first_c);
    if (!lengths_fit(layer.lengths, layer.batch, layer.steps)) {
        return NDK_INVALID_ARGUMENT;
    }
    return layer.batch == 0 || layer.hidden == 0 ? NDK_OK : Backward<T, Cell>(call->host, layer).run();
}

template <template <typename> typename CellOf>
ndk_status backward(const ndk_call *call) {
    constexpr std::int32_t kStates = CellOf<float>::kHasCell ? 2 : 1;
    if (const ndk_status status = check_call(call, 6 + kStates, 2 + kStates, 1 + kStates, 1, 0); status != NDK_OK) {
        return status;
    }
    if (!is_float(call->inputs[0]->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    return call->inputs[0]->dtype == NDK_FLOAT32 ? backward_typed<float, CellOf>(call)
                                                 : backward_typed<double, CellOf>(call);
}

} // namespace ndk::recurrent
#endif // NDK_RECURRENT_OPERATORS_HPP
