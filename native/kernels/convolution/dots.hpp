// SPDX-License-Identifier: Apache-2.0
//
// The last places of an image, where they are too few for a vector of places: sums of products along the depth instead.
#ifndef NDK_CONVOLUTION_DOTS_HPP
#define NDK_CONVOLUTION_DOTS_HPP

#include "partial.hpp"
#include "shuffle.hpp"

namespace ndk::convolution {

// So many places cost less than a vector that they would not fill: each takes twice a lane's time, with its sum of
// lanes.
template <typename T>
inline constexpr std::int64_t kMostDots = kLanes<T> / 4;

// c (filters x places) = a (filters x depth) b (places x depth). Strides are in elements; those of a row of a and b are
// consecutive, and so are the rows of b.
template <typename T, int Filters, int Places>
[[gnu::noinline]] void dots(const T *a, std::int64_t a_row, const T *b, std::int64_t depth, T *c, std::int64_t c_row) {
    Vec<T> sums[Filters][Places] = {};
    const auto add = [&](std::int64_t k, std::int64_t count) __attribute__((always_inline)) {
        Vec<T> right[Places];
#pragma GCC unroll 4
        for (int place = 0; place < Places; ++place) {
            const T *from = b + place * depth + k;
            right[place] = count == kLanes<T> ? load(from) : load_first(from, count);
        }
#pragma GCC unroll 4
        for (int filter = 0; filter < Filters; ++filter) {
            const T *from = a + filter * a_row + k;
            const Vec<T> left = count == kLanes<T> ? load(from) : load_first(from, count);
#pragma GCC unroll 4
            for (int place = 0; place < Places; ++place) {
                sums[filter][place] += left * right[place];
            }
        }
    };
    std::int64_t k = 0;
    for (; k + kLanes<T> <= depth; k += kLanes<T>) {
        add(k, kLanes<T>);
    }
    if (k < depth) {
        add(k, depth - k);
    }
#pragma GCC unroll 4
    for (int filter = 0; filter < Filters; ++filter) {
#pragma GCC unroll 4
        for (int place = 0; place < Places; ++place) {
            c[filter * c_row + place] = sum_of_lanes<T>(sums[filter][place]);
        }
    }
}

template <typename T, int Places>
void dots_of(std::int64_t filters, const T *a, std::int64_t a_row, const T *b, std::int64_t depth, T *c,
             std::int64_t c_row) {
    std::int64_t i = 0;
    for (; i + 4 <= filters; i += 4) {
        dots<T, 4, Places>(a + i * a_row, a_row, b, depth, c + i * c_row, c_row);
    }
    for (; i < filters; ++i) {
        dots<T, 1, Places>(a + i * a_row, a_row, b, depth, c + i * c_row, c_row);
    }
}

// The same for any numbers of filters and places.
template <typename T>
[[gnu::noinline]] void multiply_dots(std::int64_t filters, std::int64_t places, const T *a, std::int64_t a_row,
                                     const T *b, std::int64_t depth, T *c, std::int64_t c_row) {
    std::int64_t place = 0;
    for (; place + 2 <= places; place += 2) {
        dots_of<T, 2>(filters, a, a_row, b + place * depth, depth, c + place, c_row);
    }
    if (place < places) {
        dots_of<T, 1>(filters, a, a_row, b + place * depth, depth, c + place, c_row);
    }
}

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_DOTS_HPP
