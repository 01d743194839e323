// SPDX-License-Identifier: Apache-2.0
//
// Images and windows: every operator of pooling and resampling sees its tensors as (batch, channel, depth, height,
// width), whatever their layout is and however many of the axes there are.
#ifndef NDK_POOLING_GEOMETRY_HPP
#define NDK_POOLING_GEOMETRY_HPP

#include "host.hpp"
#include "views.hpp"

namespace ndk {

enum ImageAxis { kBatch, kChannel, kDepth, kHeight, kWidth, kImageAxes };
inline constexpr int kSpatial = 3;                                 // depth, height, width
inline constexpr std::int64_t kMostExtent = std::int64_t{1} << 40; // of a spatial axis: no product of two small numbers
                                                                   // and it overflows

struct Image {
    char *data;
    std::int64_t extent[kImageAxes];
    std::int64_t stride[kImageAxes]; // in bytes

    std::int64_t offset(std::int64_t n, std::int64_t c) const { return n * stride[kBatch] + c * stride[kChannel]; }
    std::int64_t planes() const { return extent[kBatch] * extent[kChannel]; }
    std::int64_t positions() const { return extent[kDepth] * extent[kHeight] * extent[kWidth]; }
};

// A tensor (N, C, spatial...) or (N, spatial..., C), where N may be missing
inline bool read_image(const ndk_tensor *tensor, std::int64_t spatial, std::int64_t channels_last, Image &image) {
    if (spatial < 1 || spatial > kSpatial || channels_last < 0 || channels_last > 1 ||
        (tensor->ndim != spatial + 2 && tensor->ndim != spatial + 1)) {
        return false;
    }
    image.data = static_cast<char *>(tensor->data);
    for (int axis = 0; axis < kImageAxes; ++axis) {
        image.extent[axis] = 1;
        image.stride[axis] = 0;
    }
    const auto set = [&](std::int64_t axis, std::int64_t from) {
        image.extent[axis] = tensor->shape[from];
        image.stride[axis] = tensor->strides[from];
    };
    const std::int64_t batch = tensor->ndim - spatial - 1; // 1 or 0
    if (batch != 0) {
        set(kBatch, 0);
    }
    set(kChannel, channels_last != 0 ? tensor->ndim - 1 : batch);
    for (std::int64_t i = 0; i < spatial; ++i) {
        const std::int64_t from = channels_last != 0 ? batch + i : batch + 1 + i;
        if (tensor->shape[from] > kMostExtent) {
            return false;
        }
        set(kImageAxes - spatial + i, from);
    }
    return true;
}

inline bool same_planes(const Image &left, const Image &right) {
    return left.extent[kBatch] == right.extent[kBatch] && left.extent[kChannel] == right.extent[kChannel];
}

inline bool same_extents(const Image &left, const Image &right) {
    for (int axis = 0; axis < kImageAxes; ++axis) {
        if (left.extent[axis] != right.extent[axis]) {
            return false;
        }
    }
    return true;
}

// The part of a window along one axis that lies in the image: elements begin, begin + dilation, ...
struct Window {
    std::int64_t begin;
    std::int64_t count;
    std::int64_t divisor; // this axis's factor of what a mean is divided by
};

// What a call of pooling says: integers (spatial, channels_last, adaptive, count_include_pad, kernel[3], stride[3],
// padding[3], dilation[3]), the threes for depth, height and width, of which the first ones are unused when there are
// fewer axes.
inline constexpr int kPoolIntegers = 16;

struct Pool {
    bool adaptive;
    bool include_pad;
    std::int64_t kernel[kSpatial];
    std::int64_t stride[kSpatial];
    std::int64_t padding[kSpatial];
    std::int64_t dilation[kSpatial];
};

inline bool read_pool(const std::int64_t *integers, Pool &pool) {
    pool.adaptive = integers[2] != 0;
    pool.include_pad = integers[3] != 0;
    for (int i = 0; i < kSpatial; ++i) {
        const bool used = i >= kSpatial - integers[0];
        pool.kernel[i] = used ? integers[4 + i] : 1;
        pool.stride[i] = used ? integers[7 + i] : 1;
        pool.padding[i] = used ? integers[10 + i] : 0;
        pool.dilation[i] = used ? integers[13 + i] : 1;
        if (pool.adaptive) {
            pool.kernel[i] = pool.stride[i] = pool.dilation[i] = 1;
            pool.padding[i] = 0;
        }
        constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;
        if (pool.kernel[i] < 1 || pool.kernel[i] > kMost || pool.stride[i] < 1 || pool.stride[i] > kMost ||
            pool.dilation[i] < 1 || pool.dilation[i] > kMost || pool.padding[i] < 0 ||
            pool.padding[i] > pool.kernel[i] / 2) {
            return false;
        }
    }
    return true;
}

// Whether every window starts in the image or in the padding before it. `x` is what is pooled.
inline bool windows_fit(const Pool &pool, const Image &x, const Image &out) {
    for (int i = 0; i < kSpatial; ++i) {
        const std::int64_t in = x.extent[kDepth + i];
        const std::int64_t count = out.extent[kDepth + i];
        if (count == 0) {
            continue;
        }
        if (in == 0 || (pool.adaptive ? in >> 31 != 0 || count >> 31 != 0
                                      : count - 1 > (in - 1 + pool.padding[i]) / pool.stride[i])) {
            return false;
        }
    }
    return true;
}

// The windows along spatial axis `i`. Adaptive ones begin at floor(o in / out) and end before ceil((o + 1) in / out).
// Source: ATen's AdaptivePooling.h and the documentation of torch.nn.AvgPool2d
inline Window window_at(const Pool &pool, int i, std::int64_t o, std::int64_t in, std::int64_t out) {
    if (pool.adaptive) {
        const std::int64_t begin = o * in / out;
        const std::int64_t count = ((o + 1) * in - 1) / out + 1 - begin;
        return {begin, count, count};
    }
    const std::int64_t start = o * pool.stride[i] - pool.padding[i];
    const std::int64_t dilation = pool.dilation[i];
    const std::int64_t skipped = start < 0 ? (dilation - 1 - start) / dilation : 0;
    const std::int64_t reach = (in - 1 - start) / dilation + 1; // taps before the image's end
    const std::int64_t taps = pool.kernel[i] < reach ? pool.kernel[i] : reach;
    const std::int64_t count = taps > skipped ? taps - skipped : 0;
    const std::int64_t room = in + pool.padding[i] - start;
    const std::int64_t padded = pool.kernel[i] < room ? pool.kernel[i] : room;
    return {start + skipped * dilation, count, pool.include_pad ? padded : count};
}

// Windows begin ... end - 1 along an axis lie in the image as a whole: all have as many elements and the same divisor,
// and each begins `stride` elements after the one before. None of adaptive ones is counted.
struct Range {
    std::int64_t begin;
    std::int64_t end;
};

inline Range whole_windows(const Pool &pool, int i, std::int64_t in, std::int64_t out) {
    const std::int64_t room = in + pool.padding[i] - (pool.kernel[i] - 1) * pool.dilation[i] - 1;
    const std::int64_t begin = (pool.padding[i] + pool.stride[i] - 1) / pool.stride[i];
    const std::int64_t reach = room < 0 ? 0 : room / pool.stride[i] + 1;
    const std::int64_t end = reach < out ? reach : out;
    return pool.adaptive || begin >= end ? Range{0, 0} : Range{begin, end};
}

// The windows of all three axes; scratch of 24 bytes for each.
class Windows {
public:
    [[gnu::noinline]] Windows(const ndk_host *host, const Pool &pool, const Image &x, const Image &out)
        : memory_(host, out.extent[kDepth] + out.extent[kHeight] + out.extent[kWidth]) {
        Window *to = memory_.get();
        if (to == nullptr) {
            return;
        }
        for (int i = 0; i < kSpatial; ++i) {
            axis_[i] = to;
            for (std::int64_t o = 0; o < out.extent[kDepth + i]; ++o) {
                *to++ = window_at(pool, i, o, x.extent[kDepth + i], out.extent[kDepth + i]);
            }
        }
    }

    bool missing() const { return memory_.get() == nullptr; }
    const Window *operator[](int i) const { return axis_[i]; }

private:
    Scratch<Window> memory_;
    const Window *axis_[kSpatial] = {};
};

} // namespace ndk
#endif // NDK_POOLING_GEOMETRY_HPP
