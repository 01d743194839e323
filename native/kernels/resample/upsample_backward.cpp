// SPDX-License-Identifier: Apache-2.0
//
// upsample_backward: inputs grad, of the shape of what upsample answered; outputs grad_x, of x's shape and grad's dtype
// (float32, float64); integers and numbers as in resample/sources.hpp.
//
// The adjoint of upsample. Scratch: 24 bytes for each of grad's depth + height + width.
#include "call.hpp"
#include "pooling/planes.hpp"
#include "resample/sources.hpp"

namespace ndk {
namespace {

template <typename T>
ndk_status backward_typed(const ndk_call *call, const Image &grad, const Image &x) {
    const Sources<T> sources(call, x, grad);
    if (sources.missing() && grad.positions() != 0) {
        return NDK_OUT_OF_MEMORY;
    }
    for_planes(call->host, x, channels_together<T>(x) && channels_together<T>(grad), [&](const Planes &planes) {
        char *to = x.data + x.offset(planes.n, planes.c);
        clear<T>(to, x, planes.together);
        for_positions(grad.data + grad.offset(planes.n, planes.c), grad,
                      [&](const char *at, std::int64_t z, std::int64_t y, std::int64_t o) {
                          const Corners<T> corners(x, sources[0][z], sources[1][y], sources[2] + o);
                          for (int k = 0; k < corners.count; ++k) {
                              T *corner = reinterpret_cast<T *>(to + corners.offset[k]);
                              for (std::int64_t i = 0; i < planes.together; ++i) {
                                  corner[i] += reinterpret_cast<const T *>(at)[i] * corners.weight[k];
                              }
                          }
                      });
    });
    return NDK_OK;
}

} // namespace

ndk_status operators::upsample_backward(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 1, 0, 1, kUpsampleIntegers, kSpatial); status != NDK_OK) {
        return status;
    }
    Image x;
    Image grad;
    if (const ndk_status status = read_upsample(call, call->outputs[0], call->inputs[0], x, grad); status != NDK_OK) {
        return status;
    }
    return call->inputs[0]->dtype == NDK_FLOAT32 ? backward_typed<float>(call, grad, x)
                                                 : backward_typed<double>(call, grad, x);
}

} // namespace ndk
