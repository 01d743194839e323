// SPDX-License-Identifier: Apache-2.0
//
// Checking of tensors, and the simplest loop nest that visits several strided views together.
#ifndef NDK_VIEWS_HPP
#define NDK_VIEWS_HPP

#include <cstddef>
#include <cstdint>

#include "ndkernels.h"

namespace ndk {

// Bytes of an element; 0 for what is no dtype.
inline std::int64_t item_size(std::int32_t dtype) {
    switch (dtype) {
    case NDK_BOOL:
    case NDK_INT8:
        return 1;
    case NDK_FLOAT16:
    case NDK_BFLOAT16:
        return 2;
    case NDK_FLOAT32:
    case NDK_INT32:
        return 4;
    case NDK_FLOAT64:
    case NDK_INT64:
        return 8;
    default:
        return 0;
    }
}

// Of a tensor that lies without gaps.
inline std::int64_t byte_count(const ndk_tensor *tensor) {
    std::int64_t bytes = item_size(tensor->dtype);
    for (std::int32_t axis = 0; axis < tensor->ndim; ++axis) {
        bytes *= tensor->shape[axis];
    }
    return bytes;
}

inline bool is_float(std::int32_t dtype) { return dtype == NDK_FLOAT32 || dtype == NDK_FLOAT64; }

// Whether `tensor` keeps the contract of ndkernels.h and has the data type `dtype`.
inline ndk_status check_tensor(const ndk_tensor *tensor, std::int32_t dtype) {
    const std::int64_t low_bits = item_size(dtype) - 1;
    if (low_bits < 0) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    if (tensor->dtype != dtype || tensor->device.type != NDK_CPU || tensor->ndim < 0 || tensor->ndim > NDK_MAX_NDIM) {
        return NDK_INVALID_ARGUMENT;
    }
    bool empty = false;
    for (std::int32_t axis = 0; axis < tensor->ndim; ++axis) {
        if (tensor->shape[axis] < 0 || (tensor->strides[axis] & low_bits) != 0) {
            return NDK_INVALID_ARGUMENT;
        }
        empty = empty || tensor->shape[axis] == 0;
    }
    const auto address = reinterpret_cast<std::uintptr_t>(tensor->data);
    if (!empty && (address == 0 || (address & static_cast<std::uintptr_t>(low_bits)) != 0)) {
        return NDK_INVALID_ARGUMENT;
    }
    return NDK_OK;
}

// The same for functions that know floats only.
inline ndk_status check_float_tensor(const ndk_tensor *tensor, std::int32_t dtype) {
    return is_float(dtype) ? check_tensor(tensor, dtype) : NDK_UNSUPPORTED_DTYPE;
}

inline bool same_shape(const ndk_tensor *left, const ndk_tensor *right) {
    if (left->ndim != right->ndim) {
        return false;
    }
    for (std::int32_t axis = 0; axis < left->ndim; ++axis) {
        if (left->shape[axis] != right->shape[axis]) {
            return false;
        }
    }
    return true;
}

inline std::int64_t magnitude(std::int64_t stride) { return stride < 0 ? -stride : stride; }

// `Count` views of one shape as a nest of as few loops as possible. The first view leads: its strides decide the order
// of the loops (largest first) and are made positive. Extents of 1 are gone, and axes that follow each other in
// memory in every view are one.
template <int Count>
struct LoopNest {
    int ndim = 0;
    std::int64_t shape[NDK_MAX_NDIM];
    std::int64_t strides[Count][NDK_MAX_NDIM]; // in bytes
    std::int64_t offset[Count] = {};           // of the nest's first place from the views' first elements, in bytes
    std::int64_t size = 1;                     // product of shape

    // Adds one axis at its place in the order.
    [[gnu::noinline]] void insert(std::int64_t extent, const std::int64_t (&stride)[Count]) {
        size *= extent;
        if (extent == 1) {
            return;
        }
        const bool flip = stride[0] < 0;
        int place = ndim++;
        // A broadcast axis of the leading view is the outermost: walking it fastest would read one element at a time.
        const std::int64_t step = magnitude(stride[0]);
        for (; place > 0 && strides[0][place - 1] != 0 && (step == 0 || strides[0][place - 1] < step); --place) {
            move(place - 1, place);
        }
        shape[place] = extent;
        for (int view = 0; view < Count; ++view) {
            strides[view][place] = flip ? -stride[view] : stride[view];
            if (flip && extent > 0) {
                offset[view] += stride[view] * (extent - 1);
            }
        }
    }

    // Joins neighbours; to be called once, after the last insert.
    [[gnu::noinline]] void merge() {
        int kept = 0;
        for (int axis = 1; axis < ndim; ++axis) {
            bool joined = true;
            for (int view = 0; view < Count; ++view) {
                joined = joined && strides[view][kept] == strides[view][axis] * shape[axis];
            }
            if (joined) {
                const std::int64_t extent = shape[kept] * shape[axis];
                move(axis, kept);
                shape[kept] = extent;
            } else {
                move(axis, ++kept);
            }
        }
        ndim = ndim == 0 ? 0 : kept + 1;
    }

    // Makes the longest loop the innermost one where that one is too short to fill vectors.
    [[gnu::noinline]] void prefer_long_inner(std::int64_t enough) {
        if (ndim < 2 || shape[ndim - 1] >= enough) {
            return;
        }
        int longest = ndim - 1;
        for (int axis = ndim - 2; axis >= 0; --axis) {
            longest = shape[axis] > shape[longest] ? axis : longest;
        }
        if (shape[longest] < 4 * shape[ndim - 1]) {
            return;
        }
        for (int axis = longest; axis + 1 < ndim; ++axis) {
            swap(axis, axis + 1);
        }
    }

    // Takes the innermost loop off the nest. Without any loop that is one of extent 1.
    std::int64_t take_inner(std::int64_t (&inner)[Count]) {
        for (int view = 0; view < Count; ++view) {
            inner[view] = ndim == 0 ? 0 : strides[view][ndim - 1];
        }
        const std::int64_t extent = ndim == 0 ? 1 : shape[ndim - 1];
        size = extent == 0 ? 0 : size / extent;
        ndim -= ndim == 0 ? 0 : 1;
        return extent;
    }

    // Puts a loop back on at the innermost place.
    void put_inner(std::int64_t extent, const std::int64_t (&inner)[Count]) {
        for (int view = 0; view < Count; ++view) {
            strides[view][ndim] = inner[view];
        }
        shape[ndim++] = extent;
        size *= extent;
    }

private:
    void move(int from, int to) {
        shape[to] = shape[from];
        for (int view = 0; view < Count; ++view) {
            strides[view][to] = strides[view][from];
        }
    }

    void swap(int left, int right) {
        const std::int64_t extent = shape[left];
        std::int64_t stride[Count];
        for (int view = 0; view < Count; ++view) {
            stride[view] = strides[view][left];
        }
        move(right, left);
        shape[right] = extent;
        for (int view = 0; view < Count; ++view) {
            strides[view][right] = stride[view];
        }
    }
};

// One place of a nest, which can step to the next one in row-major order.
template <int Count>
class Cursor {
public:
    Cursor(const LoopNest<Count> &nest, std::int64_t position) : nest_(nest) {
        for (int view = 0; view < Count; ++view) {
            offset[view] = nest.offset[view];
        }
        for (int axis = nest.ndim - 1; axis >= 0; --axis) {
            index_[axis] = 0;
            if (position == 0) {
                continue;
            }
            index_[axis] = position % nest.shape[axis];
            position /= nest.shape[axis];
            for (int view = 0; view < Count; ++view) {
                offset[view] += index_[axis] * nest.strides[view][axis];
            }
        }
    }

    void next() {
        for (int axis = nest_.ndim - 1; axis >= 0; --axis) {
            const bool wrap = ++index_[axis] == nest_.shape[axis];
            const std::int64_t steps = wrap ? 1 - nest_.shape[axis] : 1;
            for (int view = 0; view < Count; ++view) {
                offset[view] += steps * nest_.strides[view][axis];
            }
            if (!wrap) {
                return;
            }
            index_[axis] = 0;
        }
    }

    std::int64_t offset[Count]; // from the views' first elements, in bytes

private:
    const LoopNest<Count> &nest_;
    std::int64_t index_[NDK_MAX_NDIM];
};

// `count` elements of a strided view into consecutive memory, and back
template <typename T>
inline void gather(const char *from, std::int64_t stride, T *to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        to[i] = *reinterpret_cast<const T *>(from + i * stride);
    }
}

template <typename T>
inline void scatter(const T *from, char *to, std::int64_t stride, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        *reinterpret_cast<T *>(to + i * stride) = from[i];
    }
}

} // namespace ndk
#endif // NDK_VIEWS_HPP
