// SPDX-License-Identifier: Apache-2.0
//
// Pooling of images whose channels lie together (channels last): a vector of channels at a time.
#ifndef NDK_POOLING_CHANNELS_HPP
#define NDK_POOLING_CHANNELS_HPP

#include "pooling/geometry.hpp"
#include "pooling/lanes.hpp"

namespace ndk {

template <typename T, typename Op>
class ChannelPooling {
public:
    ChannelPooling(const Pool &pool, const Windows &windows, const Image &x, const Image &out)
        : pool_(pool), windows_(windows), x_(x), out_(out) {}

    static bool fits(const Image &x, const Image &out) {
        return x.stride[kChannel] == sizeof(T) && out.stride[kChannel] == sizeof(T) &&
               (x.stride[kWidth] != sizeof(T) || x.extent[kWidth] == 1) && x.extent[kChannel] >= 4;
    }

    std::int64_t rows() const { return out_.extent[kBatch] * out_.extent[kDepth] * out_.extent[kHeight]; }

    // Rows [begin, end) of the result, numbered in the order batch, depth, height
    void run(std::int64_t begin, std::int64_t end) const {
        const std::int64_t height = out_.extent[kHeight];
        const std::int64_t depth = out_.extent[kDepth];
        for (std::int64_t row = begin; row < end; ++row) {
            const std::int64_t y = row % height;
            const std::int64_t z = row / height % depth;
            const std::int64_t n = row / height / depth;
            const char *from = x_.data + n * x_.stride[kBatch];
            char *to = out_.data + n * out_.stride[kBatch] + z * out_.stride[kDepth] + y * out_.stride[kHeight];
            for (std::int64_t o = 0; o < out_.extent[kWidth]; ++o) {
                pixel(from, windows_[0][z], windows_[1][y], windows_[2][o],
                      reinterpret_cast<T *>(to + o * out_.stride[kWidth]));
            }
        }
    }

private:
    void pixel(const char *image, const Window &depth, const Window &height, const Window &width, T *to) const {
        const T scale = Op::kMean ? T{1} / static_cast<T>(depth.divisor * height.divisor * width.divisor) : T{1};
        const char *from = image + depth.begin * x_.stride[kDepth] + height.begin * x_.stride[kHeight] +
                           width.begin * x_.stride[kWidth];
        const std::int64_t channels = x_.extent[kChannel];
        const Vec<T> neutral = splat<T>(Op::template kNeutral<T>);
        std::int64_t c = 0;
        const auto whole = [](const T *address) { return load(address); };
        constexpr std::int64_t kLine = kLanes<T>;
        for (; c + 4 * kLine <= channels; c += 4 * kLine) {
            Vec<T> values[4] = {neutral, neutral, neutral, neutral};
            window<4>(from + c * kItem, depth.count, height.count, width.count, values, whole);
            for (int i = 0; i < 4; ++i) {
                store(to + c + i * kLine, Op::kMean ? values[i] * splat(scale) : values[i]);
            }
        }
        for (; c + kLine <= channels; c += kLine) {
            Vec<T> values[1] = {neutral};
            window<1>(from + c * kItem, depth.count, height.count, width.count, values, whole);
            store(to + c, Op::kMean ? values[0] * splat(scale) : values[0]);
        }
        if (c < channels) {
            Vec<T> values[1] = {neutral};
            window<1>(from + c * kItem, depth.count, height.count, width.count, values,
                      [&](const T *address) { return load_first<T>(address, channels - c, neutral); });
            store_first<T>(to + c, Op::kMean ? values[0] * splat(scale) : values[0], channels - c);
        }
    }

    template <int Vectors, typename Get>
    [[gnu::always_inline]] void window(const char *from, std::int64_t depth, std::int64_t height, std::int64_t width,
                                       Vec<T> (&values)[Vectors], const Get &get) const {
        const std::int64_t step = pool_.dilation[2] * x_.stride[kWidth];
        for (std::int64_t d = 0; d < depth; ++d) {
            for (std::int64_t h = 0; h < height; ++h) {
                const char *tap =
                    from + d * pool_.dilation[0] * x_.stride[kDepth] + h * pool_.dilation[1] * x_.stride[kHeight];
                for (std::int64_t w = 0; w < width; ++w, tap += step) {
                    for (int i = 0; i < Vectors; ++i) {
                        const T *address = reinterpret_cast<const T *>(tap) + i * kLanes<T>;
                        values[i] = Op::template vectors<T>(values[i], get(address));
                    }
                }
            }
        }
    }

    static constexpr std::int64_t kItem = sizeof(T);
    const Pool &pool_;
    const Windows &windows_;
    const Image &x_;
    const Image &out_;
};

} // namespace ndk
#endif // NDK_POOLING_CHANNELS_HPP
