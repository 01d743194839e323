// SPDX-License-Identifier: Apache-2.0
//
// Walks over whole planes of an image, which is how the backward functions add up: no two threads share a plane.
#ifndef NDK_POOLING_PLANES_HPP
#define NDK_POOLING_PLANES_HPP

#include "pooling/geometry.hpp"

namespace ndk {

inline constexpr std::int64_t kPlaneGrain = std::int64_t{1} << 14; // elements of grad_x that are worth a thread
inline constexpr std::int64_t kPlaneBlock = 64; // channels that are worked on together where they lie together

// Planes that lie together in memory are worked on as one: `together` channels from channel `c` of image `n` on.
struct Planes {
    std::int64_t n;
    std::int64_t c;
    std::int64_t together;
};

// body(planes) for all planes of grad_x, none of which is in two parts
template <typename Body>
inline void for_planes(const ndk_host *host, const Image &x, bool together, const Body &body) {
    const std::int64_t channels = x.extent[kChannel];
    const std::int64_t block = together ? kPlaneBlock : 1;
    const std::int64_t blocks = (channels + block - 1) / block;
    const std::int64_t units = x.extent[kBatch] * blocks;
    const std::int64_t parts = parts_for(host, x.planes() * x.positions() / kPlaneGrain);
    parallel_for(host, parts, [&](std::int64_t part) {
        const std::int64_t end = part_begin(units, parts, part + 1, 1);
        for (std::int64_t unit = part_begin(units, parts, part, 1); unit < end; ++unit) {
            const std::int64_t c = unit % blocks * block;
            body(Planes{unit / blocks, c, channels - c < block ? channels - c : block});
        }
    });
}

// body(address, z, y, w) for all elements of a plane
template <typename Body>
inline void for_positions(char *plane, const Image &image, const Body &body) {
    for (std::int64_t z = 0; z < image.extent[kDepth]; ++z) {
        for (std::int64_t y = 0; y < image.extent[kHeight]; ++y) {
            char *row = plane + z * image.stride[kDepth] + y * image.stride[kHeight];
            for (std::int64_t w = 0; w < image.extent[kWidth]; ++w) {
                body(row + w * image.stride[kWidth], z, y, w);
            }
        }
    }
}

template <typename T>
inline void clear(char *plane, const Image &image, std::int64_t together) {
    for_positions(plane, image, [&](char *at, std::int64_t, std::int64_t, std::int64_t) {
        for (std::int64_t i = 0; i < together; ++i) {
            reinterpret_cast<T *>(at)[i] = 0;
        }
    });
}

template <typename T>
inline bool channels_together(const Image &image) {
    return image.stride[kChannel] == sizeof(T) && image.extent[kChannel] > 1;
}

} // namespace ndk
#endif // NDK_POOLING_PLANES_HPP
