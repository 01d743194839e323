// SPDX-License-Identifier: Apache-2.0
//
// Shapes and strides: what can be said about arrays without Python.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "ndkernels.h"

namespace ndkernels {

struct Shape {
    std::int32_t ndim = 0;
    std::int64_t extents[NDK_MAX_NDIM];

    std::int64_t &operator[](std::int32_t axis) { return extents[axis]; }
    std::int64_t operator[](std::int32_t axis) const { return extents[axis]; }
    void append(std::int64_t extent) { extents[ndim++] = extent; }
    std::int64_t size() const; // number of elements
};

bool operator==(const Shape &a, const Shape &b);

// "(2, 3)", as Python writes it.
std::string to_string(const Shape &shape);

// An n-dimensional view without an owner.
struct View {
    void *data = nullptr;
    ndk_dtype dtype = NDK_FLOAT32;
    Shape shape;
    std::int64_t strides[NDK_MAX_NDIM]; // in bytes

    // The tensor borrows this view's shape and strides.
    ndk_tensor tensor() const;
};

inline constexpr ndk_dtype last_dtype = NDK_INT64;

std::int64_t item_size(ndk_dtype dtype);
const char *name_of(ndk_dtype dtype);

// The common shape of NumPy's broadcasting of a[:-skip] and b[:-skip] goes to `result`; false when there is none.
bool broadcast_shapes(const Shape &a, const Shape &b, std::int32_t skip, Shape &result);

// `view` with the leading axes of `shape` (which it must broadcast to), and its own last `skip` axes.
View broadcast_to(const View &view, const Shape &shape, std::int32_t skip);

// A C-contiguous view of `data`.
View contiguous(void *data, ndk_dtype dtype, const Shape &shape);

// `view` with one more axis of extent 1 in front of `axis`.
View with_axis(const View &view, std::int32_t axis);

// Whether two views can share bytes: compares the ranges of addresses, so the answer may be a false yes.
bool may_overlap(const View &a, const View &b);

// Same data, shape and strides.
bool same_view(const View &a, const View &b);

// Whether two elements of the view can share bytes; never yes for what indexing makes of an array without overlap.
bool may_overlap_itself(const View &view);

} // namespace ndkernels
