// SPDX-License-Identifier: Apache-2.0
//
// lstm in one direction, over sequences of one length and without what back-propagation needs. Not gru: oneDNN has its
// first two gates in the other order, so that all weights would have to be copied.
#include <initializer_list>

#include "onednn/operators.hpp"
#include "views.hpp"

namespace ndk::onednn {
namespace {

constexpr std::int64_t kGates = 4;

// The tensors of a call as recurrent/operators.hpp has them: the inputs, and then the outputs
enum Tensor { kX, kFirstH, kFirstC, kLengths, kWx, kWh, kBx, kBh, kSequence, kLastH, kLastC };

bool has_shape(const ndk_tensor *tensor, std::initializer_list<std::int64_t> shape) {
    if (tensor->ndim != static_cast<std::int32_t>(shape.size())) {
        return false;
    }
    std::int32_t axis = 0;
    for (const std::int64_t extent : shape) {
        if (tensor->shape[axis++] != extent) {
            return false;
        }
    }
    return true;
}

struct Axes {
    int count = 0;
    std::int64_t shape[5];
    std::int64_t strides[5];

    void add(std::int64_t extent, std::int64_t stride) {
        shape[count] = extent;
        strides[count++] = stride;
    }
    ConstDesc of(Builder &builder, const ndk_tensor *tensor) const {
        return builder.strided(tensor, count, shape, strides);
    }
};

std::int64_t stride(const ndk_tensor *tensor, std::int32_t axis) {
    return tensor->strides[axis] / item_size(tensor->dtype);
}

// (steps, batch, features)
Axes sequence(const ndk_tensor *tensor, bool batch_first) {
    Axes axes;
    axes.add(tensor->shape[batch_first ? 1 : 0], stride(tensor, batch_first ? 1 : 0));
    const std::int32_t batch = batch_first ? 0 : 1;
    axes.add(tensor->ndim == 2 ? 1 : tensor->shape[batch], tensor->ndim == 2 ? 1 : stride(tensor, batch));
    axes.add(tensor->shape[tensor->ndim - 1], stride(tensor, tensor->ndim - 1));
    return axes;
}

// (1, batch, hidden) as (layer, direction, batch, hidden)
Axes state(const ndk_tensor *tensor) {
    Axes axes;
    axes.add(1, 1);
    for (std::int32_t axis = 0; axis < 3; ++axis) {
        axes.add(tensor->shape[axis], stride(tensor, axis));
    }
    return axes;
}

// (gates * hidden, features) as (layer, direction, features, gate, hidden)
Axes weights(const ndk_tensor *tensor) {
    const std::int64_t hidden = tensor->shape[0] / kGates;
    Axes axes;
    axes.add(1, 1);
    axes.add(1, 1);
    axes.add(tensor->shape[1], stride(tensor, 1));
    axes.add(kGates, hidden * stride(tensor, 0));
    axes.add(hidden, stride(tensor, 0));
    return axes;
}

void add_biases(const ndk_call *call, char *to) {
    auto *sum = reinterpret_cast<float *>(to);
    const std::int64_t count = call->inputs[kWx]->shape[0];
    for (std::int64_t i = 0; i < count; ++i) {
        sum[i] = 0.0f;
        for (const ndk_tensor *bias : {call->inputs[kBx], call->inputs[kBh]}) {
            if (bias != nullptr) {
                const char *from = static_cast<const char *>(bias->data) + i * bias->strides[0];
                sum[i] += *reinterpret_cast<const float *>(from);
            }
        }
    }
}

bool fits(const Builder &builder) {
    const ndk_call &call = builder.call();
    const ndk_tensor *x = call.inputs[kX];
    if (call.inputs[kLengths] != nullptr || (x->ndim != 2 && x->ndim != 3)) {
        return false;
    }
    const ndk_tensor *out = builder.tensor(kSequence);
    const bool batch_first = call.integers[0] != 0;
    if (out->ndim != x->ndim || (x->ndim == 2 && batch_first) || call.inputs[kWx] == nullptr ||
        call.inputs[kWh] == nullptr || (call.inputs[kFirstH] == nullptr) != (call.inputs[kFirstC] == nullptr)) {
        return false;
    }
    for (int i = 0; i < call.input_count + call.output_count; ++i) {
        if (builder.tensor(i) != nullptr && builder.tensor(i)->dtype != NDK_FLOAT32) {
            return false;
        }
    }
    for (std::int32_t axis = 0; axis + 1 < x->ndim; ++axis) {
        if (out->shape[axis] != x->shape[axis]) {
            return false;
        }
    }
    const std::int64_t hidden = out->shape[out->ndim - 1];
    const std::int64_t batch = x->ndim == 2 ? 1 : x->shape[batch_first ? 0 : 1];
    for (const int i : {kFirstH, kFirstC, kLastH, kLastC}) {
        if (builder.tensor(i) != nullptr && !has_shape(builder.tensor(i), {1, batch, hidden})) {
            return false;
        }
    }
    for (const int i : {kBx, kBh}) {
        if (builder.tensor(i) != nullptr && !has_shape(builder.tensor(i), {kGates * hidden})) {
            return false;
        }
    }
    return has_shape(call.inputs[kWx], {kGates * hidden, x->shape[x->ndim - 1]}) &&
           has_shape(call.inputs[kWh], {kGates * hidden, hidden});
}

} // namespace

bool build_lstm(Builder &builder) {
    if (!fits(builder)) {
        return false;
    }
    const bool batch_first = builder.call().integers[0] != 0;
    const std::int64_t hidden = builder.tensor(kWh)->shape[1];
    const auto any = [&](const Axes &axes) { return builder.any(axes.count, axes.shape, NDK_FLOAT32); };
    const Axes x = sequence(builder.tensor(kX), batch_first);
    const Axes out = sequence(builder.tensor(kSequence), batch_first);
    const Axes w_x = weights(builder.tensor(kWx));
    const Axes w_h = weights(builder.tensor(kWh));
    const Axes h = state(builder.tensor(kLastH));
    const Axes c = state(builder.tensor(kLastC));
    Axes bias;
    bias.add(1, 1);
    bias.add(1, 1);
    bias.add(kGates, hidden);
    bias.add(hidden, 1);
    const ConstDesc sum = bias.of(builder, builder.tensor(kWh)); // of which only the dtype is looked at
    const bool states = builder.tensor(kFirstH) != nullptr;
    const ConstDesc any_h = any(h);
    const ConstDesc any_c = any(c);
    if (sum == nullptr || api.lstm_forward_primitive_desc_create(
                              builder.made(), api.engine, prop::kInference, kLeftToRight, any(x),
                              states ? any_h : nullptr, states ? any_c : nullptr, any(w_x), any(w_h), nullptr, nullptr,
                              sum, any(out), any_h, any_c, 0, builder.attributes()) != status::kSuccess) {
        return false;
    }
    builder.argument(role::kSource, kX, false, x.of(builder, builder.tensor(kX)));
    builder.argument(role::kWeights, kWx, false, w_x.of(builder, builder.tensor(kWx)));
    builder.argument(role::kWeightsOfState, kWh, false, w_h.of(builder, builder.tensor(kWh)));
    builder.prepared(role::kBias, sum, add_biases);
    builder.argument(role::kDestination, kSequence, true, out.of(builder, builder.tensor(kSequence)));
    builder.argument(role::kLastState, kLastH, true, h.of(builder, builder.tensor(kLastH)));
    builder.argument(role::kLastCell, kLastC, true, c.of(builder, builder.tensor(kLastC)));
    if (states) {
        builder.argument(role::kFirstState, kFirstH, false,
                         state(builder.tensor(kFirstH)).of(builder, builder.tensor(kFirstH)));
        builder.argument(role::kFirstCell, kFirstC, false,
                         state(builder.tensor(kFirstC)).of(builder, builder.tensor(kFirstC)));
    }
    return true;
}

} // namespace ndk::onednn
