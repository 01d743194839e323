// SPDX-License-Identifier: Apache-2.0
//
// What gradients ask of their tensors: their Python functions make contiguous arrays of all others.
#ifndef NDK_NORMALIZATION_CONTIGUOUS_HPP
#define NDK_NORMALIZATION_CONTIGUOUS_HPP

#include "views.hpp"

namespace ndk {

// Whether the tensor has this dtype and shape and lies in C order.
inline bool is_contiguous(const ndk_tensor *tensor, std::int32_t dtype, std::int32_t ndim, const std::int64_t *shape) {
    if (tensor->dtype != dtype || tensor->ndim != ndim) {
        return false;
    }
    bool empty = false;
    bool in_order = true;
    std::int64_t expected = item_size(dtype);
    for (std::int32_t i = ndim - 1; i >= 0; --i) {
        if (tensor->shape[i] != shape[i]) {
            return false;
        }
        empty = empty || shape[i] == 0;
        in_order = in_order && (shape[i] == 1 || tensor->strides[i] == expected);
        expected *= shape[i];
    }
    return empty || in_order;
}

} // namespace ndk
#endif // NDK_NORMALIZATION_CONTIGUOUS_HPP
