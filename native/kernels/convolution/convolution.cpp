// SPDX-License-Identifier: Apache-2.0
//
// Convolutions of one to three spatial axes, float32 and float64. The integers are channels_last, groups, and for
// (depth, height, width) stride, dilation and the padding at the begin; missing axes have 1, 1 and 0. How far the
// result reaches is said by its shape: outside of the images everything is 0.
//
// convolution: inputs x (batch, channels, ...), weight (filters, channels / groups, ...), bias (filters) or none;
//   outputs y (batch, filters, ...).
// convolution_pack: inputs weight, and x and y of the calls that are to come, or none of both, whose elements are not
//   looked at; output as ndk_packed says.
// convolution_input_gradient: inputs grad_y, weight, bias (channels) or none; outputs grad_x. With a bias it is what is
//   called a transposed convolution.
// convolution_weight_gradient: inputs grad_y, x; outputs grad_weight.
//
// Scratch memory: see product.hpp and, for kernels of 3 x 3 in float32, winograd.cpp; all other memory is the caller's.
#include "convolution/arguments.hpp"
#include "convolution/gradients.hpp"
#include "convolution/run.hpp"

namespace ndk {
namespace {

using namespace convolution;

template <typename T>
ndk_status input_gradient_typed(const ndk_host *host, const Problem<T> &forward, T *x) {
    std::int64_t phase[kAxes];
    for (phase[0] = 0; phase[0] < forward.stride[0] && phase[0] < forward.in[0]; ++phase[0]) {
        for (phase[1] = 0; phase[1] < forward.stride[1] && phase[1] < forward.in[1]; ++phase[1]) {
            for (phase[2] = 0; phase[2] < forward.stride[2] && phase[2] < forward.in[2]; ++phase[2]) {
                const Problem<T> problem = input_gradient(forward, x, phase);
                if (const ndk_status status = run(host, problem); status != NDK_OK) {
                    return status;
                }
            }
        }
    }
    return NDK_OK;
}

template <typename T>
ndk_status input_gradient_call(const ndk_call *call, const Settings &settings) {
    Problem<T> forward = problem_of<T>(call->outputs[0], call->inputs[1], call->inputs[0], call->inputs[2], settings);
    forward.bias_group = forward.channels * forward.bias_filter;
    return input_gradient_typed(call->host, forward, static_cast<T *>(call->outputs[0]->data));
}

template <typename T>
ndk_status weight_gradient_call(const ndk_call *call, const Settings &settings) {
    const Problem<T> forward = problem_of<T>(call->inputs[1], call->outputs[0], call->inputs[0], nullptr, settings);
    return run(call->host, weight_gradient(forward, static_cast<T *>(call->outputs[0]->data)));
}

} // namespace

ndk_status operators::convolution(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 3, 1, 1, kSettings, 0); status != NDK_OK) {
        return status;
    }
    const Settings settings(call->integers);
    const ndk_tensor *x = call->inputs[0];
    const ndk_tensor *w = call->inputs[1];
    const ndk_tensor *bias = call->inputs[2];
    const ndk_tensor *y = call->outputs[0];
    if (const ndk_status status = check_volumes(x, w, y, bias, settings); status != NDK_OK) {
        return status;
    }
    return x->dtype == NDK_FLOAT32 ? run(call->host, problem_of<float>(x, w, y, bias, settings), call)
                                   : run(call->host, problem_of<double>(x, w, y, bias, settings), call);
}

ndk_status operators::convolution_pack(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 3, 2, 1, kSettings, 0); status != NDK_OK) {
        return status;
    }
    const Settings settings(call->integers);
    const ndk_tensor *w = call->inputs[0];
    if ((call->inputs[1] == nullptr) != (call->inputs[2] == nullptr)) {
        return NDK_INVALID_ARGUMENT;
    }
    const bool images = call->inputs[1] != nullptr;
    const ndk_tensor *x = images ? call->inputs[1] : w;
    const ndk_tensor *y = images ? call->inputs[2] : w;
    if (images) {
        if (const ndk_status status = check_volumes(x, w, y, nullptr, settings); status != NDK_OK) {
            return status;
        }
    } else if (w->ndim < 3 || w->ndim > 2 + kAxes || !is_float(w->dtype) || !countable(Volume(w, false)) ||
               settings.groups < 1 || w->shape[0] % settings.groups != 0) {
        return NDK_INVALID_ARGUMENT;
    }
    return w->dtype == NDK_FLOAT32 ? pack_filters(call, problem_of<float>(x, w, y, nullptr, settings), images)
                                   : pack_filters(call, problem_of<double>(x, w, y, nullptr, settings), images);
}

ndk_status operators::convolution_input_gradient(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 3, 1, 1, kSettings, 0); status != NDK_OK) {
        return status;
    }
    const Settings settings(call->integers);
    const ndk_tensor *x = call->outputs[0];
    const ndk_tensor *bias = call->inputs[2];
    if (const ndk_status status = check_volumes(x, call->inputs[1], call->inputs[0], nullptr, settings);
        status != NDK_OK) {
        return status;
    }
    if (bias != nullptr &&
        (bias->dtype != x->dtype || bias->ndim != 1 || bias->shape[0] != Volume(x, settings.channels_last).inner)) {
        return NDK_INVALID_ARGUMENT;
    }
    return x->dtype == NDK_FLOAT32 ? input_gradient_call<float>(call, settings)
                                   : input_gradient_call<double>(call, settings);
}

ndk_status operators::convolution_weight_gradient(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 2, 0, 1, kSettings, 0); status != NDK_OK) {
        return status;
    }
    const Settings settings(call->integers);
    const ndk_tensor *w = call->outputs[0];
    if (const ndk_status status = check_volumes(call->inputs[1], w, call->inputs[0], nullptr, settings);
        status != NDK_OK) {
        return status;
    }
    return w->dtype == NDK_FLOAT32 ? weight_gradient_call<float>(call, settings)
                                   : weight_gradient_call<double>(call, settings);
}

} // namespace ndk
