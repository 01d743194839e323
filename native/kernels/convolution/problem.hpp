// SPDX-License-Identifier: Apache-2.0
//
// What is convolved, as the engines see it: three spatial axes, any strides, any kind of padding.
#ifndef NDK_CONVOLUTION_PROBLEM_HPP
#define NDK_CONVOLUTION_PROBLEM_HPP

#include <cstdint>

#include "host.hpp"

namespace ndk::convolution {

inline constexpr int kAxes = 3;

// y[n, g, f, o] = bias[g, f] + sum over c, k of w[g, f, c, k] x[n, g, c, o * stride - pad + k * dilation]
// for spatial places o and k; x is 0 outside of its extents, so that padding at the end needs no number of its own, and
// a negative pad cuts. Strides are in elements. The gradients are problems of the same kind (see gradients.hpp).
template <typename T>
struct Problem {
    std::int64_t batch, groups, channels, filters; // channels and filters of one group
    std::int64_t in[kAxes], kernel[kAxes], out[kAxes];
    std::int64_t stride[kAxes], dilation[kAxes], pad[kAxes];
    const T *x;
    std::int64_t x_batch, x_group, x_channel, x_space[kAxes];
    const T *w;
    std::int64_t w_group, w_filter, w_channel, w_space[kAxes];
    T *y;
    std::int64_t y_batch, y_group, y_filter, y_space[kAxes];
    const T *bias; // null: none
    std::int64_t bias_group, bias_filter;

    std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
    std::int64_t pixels() const { return out[0] * out[1] * out[2]; }

    T bias_of(std::int64_t group, std::int64_t filter) const {
        return bias == nullptr ? T{0} : bias[group * bias_group + filter * bias_filter];
    }

    // Whether the elements of y of one filter of one image follow each other without gaps.
    bool flat_pixels() const {
        return (out[2] == 1 || y_space[2] == 1) && (out[1] == 1 || y_space[1] == out[2]) &&
               (out[0] == 1 || y_space[0] == out[1] * out[2]);
    }

    // Whether the weights of one channel follow each other without gaps.
    bool flat_taps() const {
        return (kernel[2] == 1 || w_space[2] == 1) && (kernel[1] == 1 || w_space[1] == kernel[2]) &&
               (kernel[0] == 1 || w_space[0] == kernel[1] * kernel[2]);
    }
};

// One place in the output's (batch, depth, height) and a run of its columns.
struct Row {
    std::int64_t image, plane, line;
    std::int64_t begin, count; // columns of the output
    std::int64_t place;        // of the first of them in the panel
};

// Cuts the places [begin, begin + count) of the output, numbered over (batch, depth, height, width), into rows.
// Returns how many there are: at most `count`.
template <typename T>
inline int rows_of(const Problem<T> &problem, std::int64_t begin, std::int64_t count, Row *rows) {
    std::int64_t column = begin % problem.out[2];
    std::int64_t rest = begin / problem.out[2];
    std::int64_t line = rest % problem.out[1];
    rest /= problem.out[1];
    std::int64_t plane = rest % problem.out[0];
    std::int64_t image = rest / problem.out[0];
    int found = 0;
    for (std::int64_t place = 0; place < count;) {
        const std::int64_t left = problem.out[2] - column;
        const std::int64_t length = left < count - place ? left : count - place;
        rows[found++] = {image, plane, line, column, length, place};
        place += length;
        column = 0;
        if (++line == problem.out[1]) {
            line = 0;
            if (++plane == problem.out[0]) {
                plane = 0;
                ++image;
            }
        }
    }
    return found;
}

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_PROBLEM_HPP
