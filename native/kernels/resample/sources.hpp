// SPDX-License-Identifier: Apache-2.0
//
// From where along one axis a resampled element comes.
// Source: ATen's UpSample.h; for ONNX's Resize these are the coordinate transformations asymmetric (nearest),
// half_pixel and align_corners. Linear places are computed in the type of the elements, as there, and nearest ones in
// float32 always. Torch's own functions differ where a nearest place is an integer: between float32 and float64, and
// between one axis and two.
#ifndef NDK_RESAMPLE_SOURCES_HPP
#define NDK_RESAMPLE_SOURCES_HPP

#include "pooling/geometry.hpp"

namespace ndk {

enum UpsampleMode { kNearest = 0, kLinear = 1, kNearestExact = 2 };

// What a call of upsampling says: integers (spatial, channels_last, mode, align_corners), numbers (scale[3]) for depth,
// height and width: how much larger the result is, or 0 where only the extents say so.
inline constexpr int kUpsampleIntegers = 4;

// Between elements `low` and `high`; nearest, and an axis that keeps its extent, have low = high and no weight.
template <typename T>
struct Source {
    std::int64_t low;
    std::int64_t high;
    T weight; // of high; low's is 1 - weight
};

template <typename T>
inline T clamped(T value, T least, T most) {
    return value < least ? least : value > most ? most : value;
}

template <typename T>
Source<T> source_at(std::int64_t o, std::int64_t in, std::int64_t out, std::int64_t mode, bool align, double scale) {
    const std::int64_t last = in - 1;
    if (mode != kLinear) {
        const float step =
            scale > 0 ? static_cast<float>(1.0 / scale) : static_cast<float>(in) / static_cast<float>(out);
        const float shift = mode == kNearestExact ? 0.5F : 0.0F;
        const float place = clamped((static_cast<float>(o) + shift) * step, 0.0F, static_cast<float>(last));
        std::int64_t low = static_cast<std::int64_t>(place);
        low = low > last ? last : low;
        return {low, low, 0};
    }
    if (in == out) { // also where a factor was rounded away
        return {o, o, 0};
    }
    T place;
    if (align) {
        const T step = out > 1 ? static_cast<T>(last) / static_cast<T>(out - 1) : T{0};
        place = step * static_cast<T>(o);
    } else {
        const T step = scale > 0 ? static_cast<T>(1.0 / scale) : static_cast<T>(in) / static_cast<T>(out);
        place = step * (static_cast<T>(o) + static_cast<T>(0.5)) - static_cast<T>(0.5);
    }
    place = clamped(place, T{0}, static_cast<T>(last));
    std::int64_t low = static_cast<std::int64_t>(place);
    low = low > last ? last : low;
    return {low, low < last ? low + 1 : last, clamped(place - static_cast<T>(low), T{0}, T{1})};
}

// The sources of all three axes; scratch of up to 24 bytes for each.
template <typename T>
class Sources {
public:
    Sources(const ndk_call *call, const Image &x, const Image &out)
        : memory_(call->host, out.extent[kDepth] + out.extent[kHeight] + out.extent[kWidth]) {
        Source<T> *to = memory_.get();
        if (to == nullptr) {
            return;
        }
        for (int i = 0; i < kSpatial; ++i) {
            axis_[i] = to;
            const std::int64_t in = x.extent[kDepth + i];
            const std::int64_t count = out.extent[kDepth + i];
            for (std::int64_t o = 0; o < count; ++o) {
                *to++ = source_at<T>(o, in, count, call->integers[2], call->integers[3] != 0, call->numbers[i]);
            }
        }
    }

    bool missing() const { return memory_.get() == nullptr; }
    const Source<T> *operator[](int i) const { return axis_[i]; }

private:
    Scratch<Source<T>> memory_;
    const Source<T> *axis_[kSpatial] = {};
};

// The elements of x that one element of the result is made of, as offsets in bytes, and their weights
template <typename T>
struct Corners {
    int count = 0;
    std::int64_t offset[8];
    T weight[8];

    // Without the width where `x`'s axis of it is not given
    Corners(const Image &x, const Source<T> &depth, const Source<T> &height, const Source<T> *width) {
        const Source<T> none = {0, 0, 0};
        const Source<T> *axes[kSpatial] = {&depth, &height, width != nullptr ? width : &none};
        offset[0] = 0;
        weight[0] = 1;
        count = 1;
        for (int i = 0; i < kSpatial; ++i) {
            const Source<T> &source = *axes[i];
            const std::int64_t stride = i == 2 && width == nullptr ? 0 : x.stride[kDepth + i];
            const bool both = source.low != source.high;
            for (int k = 0; k < count; ++k) {
                if (both) {
                    offset[count + k] = offset[k] + source.high * stride;
                    weight[count + k] = weight[k] * source.weight;
                    weight[k] *= T{1} - source.weight;
                }
                offset[k] += source.low * stride;
            }
            count = both ? 2 * count : count;
        }
    }
};

// Whether the tensors of a call fit each other; `x` is the smaller side, whichever of them is the output.
inline ndk_status read_upsample(const ndk_call *call, const ndk_tensor *of_x, const ndk_tensor *of_out, Image &x,
                                Image &out) {
    const std::int64_t *integers = call->integers;
    constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;
    if (of_x->dtype != of_out->dtype || of_x->ndim != of_out->ndim || !read_image(of_x, integers[0], integers[1], x) ||
        !read_image(of_out, integers[0], integers[1], out) || !same_planes(x, out) || integers[2] < 0 ||
        integers[2] > kNearestExact) {
        return NDK_INVALID_ARGUMENT;
    }
    for (int axis = kDepth; axis < kImageAxes; ++axis) {
        if (x.extent[axis] > kMost || out.extent[axis] > kMost || (x.extent[axis] == 0 && out.extent[axis] != 0)) {
            return NDK_INVALID_ARGUMENT;
        }
    }
    return is_float(of_x->dtype) ? NDK_OK : NDK_UNSUPPORTED_DTYPE;
}

} // namespace ndk
#endif // NDK_RESAMPLE_SOURCES_HPP
