// SPDX-License-Identifier: Apache-2.0
//
// The tensors of recurrent operators, checked and as views.
#ifndef NDK_RECURRENT_ARGUMENTS_HPP
#define NDK_RECURRENT_ARGUMENTS_HPP

#include <initializer_list>

#include "call.hpp"
#include "recurrent/layer.hpp"

namespace ndk::recurrent {

// No packed copy of weights of more units or inputs would fit into memory, nor its size into 64 bits.
inline constexpr std::int64_t kMostFeatures = std::int64_t{1} << 27;

inline bool has_shape(const ndk_tensor *tensor, std::int32_t dtype, std::initializer_list<std::int64_t> shape) {
    if (tensor->dtype != dtype || tensor->ndim != static_cast<std::int32_t>(shape.size())) {
        return false;
    }
    const std::int64_t *extent = tensor->shape;
    for (const std::int64_t wanted : shape) {
        if (*extent++ != wanted) {
            return false;
        }
    }
    return true;
}

// A missing tensor has every shape.
inline bool may_have_shape(const ndk_tensor *tensor, std::int32_t dtype, std::initializer_list<std::int64_t> shape) {
    return tensor == nullptr || has_shape(tensor, dtype, shape);
}

template <typename T, int Axes>
View<T, Axes> view_of(const ndk_tensor *tensor) {
    View<T, Axes> view;
    if (tensor != nullptr) {
        view.data = static_cast<T *>(tensor->data);
        for (int axis = 0; axis < Axes; ++axis) {
            view.strides[axis] = tensor->strides[axis] / static_cast<std::int64_t>(sizeof(T));
        }
    }
    return view;
}

// A sequence as (time, batch, feature): with two axes it has no batch, with three the first may be the batch.
template <typename T>
View<T, 3> sequence_of(const ndk_tensor *tensor, bool batch_first) {
    if (tensor->ndim == 2) {
        const View<T, 2> view = view_of<T, 2>(tensor);
        return {view.data, {view.strides[0], 0, view.strides[1]}};
    }
    const View<T, 3> view = view_of<T, 3>(tensor);
    return {view.data, {view.strides[batch_first ? 1 : 0], view.strides[batch_first ? 0 : 1], view.strides[2]}};
}

// Whether all lengths are in [0, steps].
inline bool lengths_fit(const View<const std::int64_t, 1> &lengths, std::int64_t batch, std::int64_t steps) {
    for (std::int64_t b = 0; lengths.data != nullptr && b < batch; ++b) {
        if (*lengths.at(b) < 0 || *lengths.at(b) > steps) {
            return false;
        }
    }
    return true;
}

} // namespace ndk::recurrent
#endif // NDK_RECURRENT_ARGUMENTS_HPP
