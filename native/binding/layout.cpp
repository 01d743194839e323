// SPDX-License-Identifier: Apache-2.0
#include "layout.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace ndkernels {
namespace {

// The first address of the view and the one after its last.
std::pair<std::uintptr_t, std::uintptr_t> address_range(const View &view) {
    std::int64_t low = 0;
    std::int64_t high = item_size(view.dtype);
    for (std::int32_t i = 0; i < view.shape.ndim; ++i) {
        const std::int64_t reach = (view.shape[i] - 1) * view.strides[i];
        (reach < 0 ? low : high) += reach;
    }
    const auto data = reinterpret_cast<std::uintptr_t>(view.data);
    return {data + static_cast<std::uintptr_t>(low), data + static_cast<std::uintptr_t>(high)};
}

} // namespace

std::int64_t Shape::size() const {
    std::int64_t product = 1;
    for (std::int32_t i = 0; i < ndim; ++i) {
        product *= extents[i];
    }
    return product;
}

bool operator==(const Shape &a, const Shape &b) {
    return a.ndim == b.ndim && std::equal(a.extents, a.extents + a.ndim, b.extents);
}

std::string to_string(const Shape &shape) {
    std::string text = "(";
    for (std::int32_t i = 0; i < shape.ndim; ++i) {
        text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
    }
    return text + (shape.ndim == 1 ? ",)" : ")");
}

ndk_tensor View::tensor() const { return {data, shape.extents, strides, shape.ndim, dtype, {NDK_CPU, 0}}; }

std::int64_t item_size(ndk_dtype dtype) {
    constexpr std::int64_t sizes[] = {0, 4, 8, 2, 2, 1, 1, 4, 8};
    return sizes[dtype];
}

const char *name_of(ndk_dtype dtype) {
    constexpr const char *names[] = {"", "float32", "float64", "float16", "bfloat16", "bool", "int8", "int32", "int64"};
    return names[dtype];
}

bool broadcast_shapes(const Shape &a, const Shape &b, std::int32_t skip, Shape &result) {
    const std::int32_t a_ndim = a.ndim - skip;
    const std::int32_t b_ndim = b.ndim - skip;
    result.ndim = std::max(a_ndim, b_ndim);
    for (std::int32_t back = 1; back <= result.ndim; ++back) {
        const std::int64_t of_a = back <= a_ndim ? a[a_ndim - back] : 1;
        const std::int64_t of_b = back <= b_ndim ? b[b_ndim - back] : 1;
        if (of_a != of_b && of_a != 1 && of_b != 1) {
            return false;
        }
        result[result.ndim - back] = of_a == 1 ? of_b : of_a;
    }
    return true;
}

View broadcast_to(const View &view, const Shape &shape, std::int32_t skip) {
    const std::int32_t missing = shape.ndim + skip - view.shape.ndim;
    View result;
    result.data = view.data;
    result.dtype = view.dtype;
    result.shape.ndim = shape.ndim + skip;
    for (std::int32_t i = 0; i < result.shape.ndim; ++i) {
        const bool own = i >= shape.ndim || (i >= missing && view.shape[i - missing] == shape[i]);
        result.shape[i] = i < shape.ndim ? shape[i] : view.shape[i - missing];
        result.strides[i] = own ? view.strides[i - missing] : 0;
    }
    return result;
}

View contiguous(void *data, ndk_dtype dtype, const Shape &shape) {
    View view;
    view.data = data;
    view.dtype = dtype;
    view.shape = shape;
    std::int64_t stride = item_size(dtype);
    for (std::int32_t i = shape.ndim - 1; i >= 0; --i) {
        view.strides[i] = stride;
        stride *= std::max<std::int64_t>(shape[i], 1);
    }
    return view;
}

View with_axis(const View &view, std::int32_t axis) {
    View result;
    result.data = view.data;
    result.dtype = view.dtype;
    result.shape.ndim = view.shape.ndim + 1;
    for (std::int32_t i = 0; i < result.shape.ndim; ++i) {
        const std::int32_t from = i < axis ? i : i - 1;
        result.shape[i] = i == axis ? 1 : view.shape[from];
        result.strides[i] = i == axis ? item_size(view.dtype) : view.strides[from];
    }
    return result;
}

bool may_overlap(const View &a, const View &b) {
    if (a.shape.size() == 0 || b.shape.size() == 0) {
        return false;
    }
    const auto [a_low, a_high] = address_range(a);
    const auto [b_low, b_high] = address_range(b);
    return a_low < b_high && b_low < a_high;
}

bool same_view(const View &a, const View &b) {
    return a.data == b.data && a.shape == b.shape && std::equal(a.strides, a.strides + a.shape.ndim, b.strides);
}

bool may_overlap_itself(const View &view) {
    // From the smallest stride to the largest, each must step over all that the ones before it reach. What indexing
    // makes of an array without overlap passes.
    std::pair<std::int64_t, std::int64_t> axes[NDK_MAX_NDIM]; // stride, extent
    std::int32_t count = 0;
    for (std::int32_t i = 0; i < view.shape.ndim; ++i) {
        if (view.shape[i] == 0) {
            return false;
        }
        if (view.shape[i] > 1) {
            axes[count++] = {std::abs(view.strides[i]), view.shape[i]};
        }
    }
    std::sort(axes, axes + count);
    std::int64_t reach = item_size(view.dtype);
    for (std::int32_t i = 0; i < count; ++i) {
        if (axes[i].first < reach) {
            return true;
        }
        reach += (axes[i].second - 1) * axes[i].first;
    }
    return false;
}

} // namespace ndkernels
