// SPDX-License-Identifier: Apache-2.0
//
// avg_pool_backward: inputs grad, of the shape of what avg_pool answered; outputs grad_x, of x's shape and grad's dtype
// (float32, float64); integers as in pooling/geometry.hpp; no numbers.
//
// max_pool_backward: inputs grad, indices (int64, what max_pool answered); outputs grad_x; integers (spatial,
// channels_last); no numbers. An index of -1 stands for no element; one that lies outside of the image otherwise makes
// the call invalid, and grad_x is undefined then.
//
// Both are the adjoints of linear maps: each element of grad goes to where its value came from. Elements that meet are
// added in the order of the windows. Scratch: 24 bytes for each of grad's depth + height + width, for means.
#include "call.hpp"
#include "pooling/geometry.hpp"
#include "pooling/planes.hpp"

namespace ndk {
namespace {

template <typename T>
ndk_status avg_typed(const ndk_host *host, const Pool &pool, const Image &grad, const Image &x) {
    const Windows windows(host, pool, x, grad);
    if (windows.missing() && grad.positions() != 0) {
        return NDK_OUT_OF_MEMORY;
    }
    for_planes(host, x, channels_together<T>(x) && channels_together<T>(grad), [&](const Planes &planes) {
        char *to = x.data + x.offset(planes.n, planes.c);
        clear<T>(to, x, planes.together);
        const auto spread = [&](const char *at, std::int64_t z, std::int64_t y, std::int64_t o) {
            const Window &depth = windows[0][z];
            const Window &height = windows[1][y];
            const Window &width = windows[2][o];
            const T scale = T{1} / static_cast<T>(depth.divisor * height.divisor * width.divisor);
            for (std::int64_t d = 0; d < depth.count; ++d) {
                for (std::int64_t h = 0; h < height.count; ++h) {
                    char *tap = to + (depth.begin + d) * x.stride[kDepth] + (height.begin + h) * x.stride[kHeight] +
                                width.begin * x.stride[kWidth];
                    for (std::int64_t w = 0; w < width.count; ++w, tap += x.stride[kWidth]) {
                        for (std::int64_t i = 0; i < planes.together; ++i) {
                            reinterpret_cast<T *>(tap)[i] += reinterpret_cast<const T *>(at)[i] * scale;
                        }
                    }
                }
            }
        };
        for_positions(grad.data + grad.offset(planes.n, planes.c), grad, spread);
    });
    return NDK_OK;
}

template <typename T>
ndk_status max_typed(const ndk_host *host, const Image &grad, const Image &indices, const Image &x) {
    const std::int64_t positions = x.positions();
    const std::int64_t width = x.extent[kWidth];
    const std::int64_t height = x.extent[kHeight];
    const bool plain = x.stride[kHeight] == width * x.stride[kWidth] && // a flat index is an address
                       (x.extent[kDepth] == 1 || x.stride[kDepth] == height * x.stride[kHeight]);
    bool valid = true;
    for_planes(host, x, false, [&](const Planes &planes) {
        char *to = x.data + x.offset(planes.n, planes.c);
        clear<T>(to, x, 1);
        const char *places = indices.data + indices.offset(planes.n, planes.c);
        const auto add = [&](const char *at, std::int64_t z, std::int64_t y, std::int64_t o) {
            const std::int64_t index = *reinterpret_cast<const std::int64_t *>(
                places + z * indices.stride[kDepth] + y * indices.stride[kHeight] + o * indices.stride[kWidth]);
            if (index < 0 || index >= positions) {
                if (index != -1) {
                    __atomic_store_n(&valid, false, __ATOMIC_RELAXED);
                }
                return;
            }
            char *tap = to + index * x.stride[kWidth];
            if (!plain) {
                tap = to + index / (width * height) * x.stride[kDepth] + index / width % height * x.stride[kHeight] +
                      index % width * x.stride[kWidth];
            }
            *reinterpret_cast<T *>(tap) += *reinterpret_cast<const T *>(at);
        };
        for_positions(grad.data + grad.offset(planes.n, planes.c), grad, add);
    });
    return valid ? NDK_OK : NDK_INVALID_ARGUMENT;
}

} // namespace

ndk_status operators::avg_pool_backward(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 1, 0, 1, kPoolIntegers, 0); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *given = call->inputs[0];
    const std::int64_t *integers = call->integers;
    Pool pool;
    Image grad;
    Image x;
    if (given->dtype != call->outputs[0]->dtype || given->ndim != call->outputs[0]->ndim ||
        !read_image(given, integers[0], integers[1], grad) ||
        !read_image(call->outputs[0], integers[0], integers[1], x) || !same_planes(grad, x) ||
        !read_pool(integers, pool) || !windows_fit(pool, x, grad) ||
        pool.dilation[0] * pool.dilation[1] * pool.dilation[2] != 1) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!is_float(given->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    return given->dtype == NDK_FLOAT32 ? avg_typed<float>(call->host, pool, grad, x)
                                       : avg_typed<double>(call->host, pool, grad, x);
}

ndk_status operators::max_pool_backward(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 2, 0, 1, 2, 0); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *given = call->inputs[0];
    const std::int64_t *integers = call->integers;
    Image grad;
    Image indices;
    Image x;
    if (given->dtype != call->outputs[0]->dtype || given->ndim != call->outputs[0]->ndim ||
        call->inputs[1]->dtype != NDK_INT64 || !same_shape(given, call->inputs[1]) ||
        !read_image(given, integers[0], integers[1], grad) ||
        !read_image(call->inputs[1], integers[0], integers[1], indices) ||
        !read_image(call->outputs[0], integers[0], integers[1], x) || !same_planes(grad, x)) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!is_float(given->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    return given->dtype == NDK_FLOAT32 ? max_typed<float>(call->host, grad, indices, x)
                                       : max_typed<double>(call->host, grad, indices, x);
}

} // namespace ndk
