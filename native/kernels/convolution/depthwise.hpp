// SPDX-License-Identifier: Apache-2.0
//
// Convolutions in which every group has one channel and few filters: sums of shifted lines of x, for which a matrix
// product has nothing to share.
//
// Scratch memory of a thread: the padded lines of one channel that a kernel meets; depthwise_fits limits them to
// 1 MiB with float.
#ifndef NDK_CONVOLUTION_DEPTHWISE_HPP
#define NDK_CONVOLUTION_DEPTHWISE_HPP

#include "partial.hpp"
#include "problem.hpp"

namespace ndk::convolution {

template <typename T>
class Depthwise {
public:
    explicit Depthwise(const Problem<T> &problem) : problem_(problem) {
        lines_ = (problem.kernel[1] - 1) * problem.dilation[1] + 1;
        const std::int64_t reach = (problem.kernel[2] - 1) * problem.dilation[2] / problem.stride[2];
        phase_ = problem.out[2] + reach + kVectors * kLanes<T>;
        line_ = phase_ * problem.stride[2];
    }

    bool fits() const {
        constexpr std::int64_t kMost = 1 << 18;
        const auto all =
            static_cast<double>(line_) * static_cast<double>(lines_) * static_cast<double>(problem_.kernel[0]);
        return problem_.channels == 1 && problem_.filters <= 4 && problem_.taps() > 0 && lines_ <= kMostLines &&
               problem_.kernel[0] <= kMostLines && lines_ * problem_.kernel[0] <= kMostLines && phase_ <= kMost &&
               problem_.stride[2] <= kMost && all <= kMost;
    }

    std::int64_t scratch_size() const { return line_ * lines_ * problem_.kernel[0]; }

    // All filters of one group for one image.
    void run(std::int64_t image, std::int64_t group, T *scratch) const {
        std::int64_t held[kMostLines]; // which line of x each line of scratch holds
        for (std::int64_t &each : held) {
            each = -1;
        }
        const T *x = problem_.x + image * problem_.x_batch + group * problem_.x_group;
        for (std::int64_t plane = 0; plane < problem_.out[0]; ++plane) {
            for (std::int64_t line = 0; line < problem_.out[1]; ++line) {
                fill(x, plane, line, held, scratch);
                for (std::int64_t filter = 0; filter < problem_.filters; ++filter) {
                    write_line(image, group, filter, plane, line, scratch);
                }
            }
        }
    }

private:
    static constexpr std::int64_t kMostLines = 64;
    static constexpr int kVectors = 4;

    std::int64_t plane_at(std::int64_t plane, std::int64_t tap) const {
        return plane * problem_.stride[0] - problem_.pad[0] + tap * problem_.dilation[0];
    }
    std::int64_t line_at(std::int64_t line, std::int64_t tap) const {
        return line * problem_.stride[1] - problem_.pad[1] + tap * problem_.dilation[1];
    }
    bool inside(std::int64_t from_plane, std::int64_t from_line) const {
        return from_plane >= 0 && from_plane < problem_.in[0] && from_line >= 0 && from_line < problem_.in[1];
    }
    std::int64_t slot(std::int64_t tap_plane, std::int64_t from_line) const {
        return tap_plane * lines_ + from_line % lines_;
    }

    // Copies the lines that one line of the output needs and that are not there yet.
    void fill(const T *x, std::int64_t plane, std::int64_t line, std::int64_t (&held)[kMostLines], T *scratch) const {
        for (std::int64_t k0 = 0; k0 < problem_.kernel[0]; ++k0) {
            for (std::int64_t k1 = 0; k1 < problem_.kernel[1]; ++k1) {
                const std::int64_t from_plane = plane_at(plane, k0);
                const std::int64_t from_line = line_at(line, k1);
                if (!inside(from_plane, from_line)) {
                    continue;
                }
                const std::int64_t place = slot(k0, from_line);
                const std::int64_t name = from_plane * problem_.in[1] + from_line;
                if (held[place] != name) {
                    held[place] = name;
                    copy_line(x + from_plane * problem_.x_space[0] + from_line * problem_.x_space[1],
                              scratch + place * line_);
                }
            }
        }
    }

    // A padded line, its columns p, p + stride, ... for each p one after the other.
    void copy_line(const T *from, T *to) const {
        const std::int64_t stride = problem_.stride[2];
        for (std::int64_t p = 0; p < stride; ++p, to += phase_) {
            const std::int64_t column = p - problem_.pad[2]; // of the first element
            std::int64_t begin = column < 0 ? (stride - 1 - column) / stride : 0;
            std::int64_t end = column < problem_.in[2] ? (problem_.in[2] - column - 1) / stride + 1 : 0;
            end = end < phase_ ? end : phase_;
            begin = begin < end ? begin : end;
            for (std::int64_t i = 0; i < begin; ++i) {
                to[i] = T{0};
            }
            copy_spread(from + (column + begin * stride) * problem_.x_space[2], stride * problem_.x_space[2],
                        to + begin, end - begin);
            for (std::int64_t i = end; i < phase_; ++i) {
                to[i] = T{0};
            }
        }
    }

    void write_line(std::int64_t image, std::int64_t group, std::int64_t filter, std::int64_t plane, std::int64_t line,
                    const T *scratch) const {
        const T *w = problem_.w + group * problem_.w_group + filter * problem_.w_filter;
        const T bias = problem_.bias_of(group, filter);
        T *y = problem_.y + image * problem_.y_batch + group * problem_.y_group + filter * problem_.y_filter +
               plane * problem_.y_space[0] + line * problem_.y_space[1];
        for (std::int64_t begin = 0; begin < problem_.out[2]; begin += kVectors * kLanes<T>) {
            Vec<T> sums[kVectors];
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) {
                sums[v] = splat(bias);
            }
            for (std::int64_t k0 = 0; k0 < problem_.kernel[0]; ++k0) {
                for (std::int64_t k1 = 0; k1 < problem_.kernel[1]; ++k1) {
                    if (!inside(plane_at(plane, k0), line_at(line, k1))) {
                        continue;
                    }
                    const T *from = scratch + slot(k0, line_at(line, k1)) * line_ + begin;
                    const T *weight = w + k0 * problem_.w_space[0] + k1 * problem_.w_space[1];
                    std::int64_t offset = 0;
                    for (std::int64_t k2 = 0; k2 < problem_.kernel[2]; ++k2, offset += problem_.dilation[2]) {
                        const T *shifted = problem_.stride[2] == 1 ? from + offset
                                                                   : from + offset % problem_.stride[2] * phase_ +
                                                                         offset / problem_.stride[2];
                        const Vec<T> factor = splat(weight[k2 * problem_.w_space[2]]);
#pragma GCC unroll 4
                        for (int v = 0; v < kVectors; ++v) {
                            sums[v] += factor * load(shifted + v * kLanes<T>);
                        }
                    }
                }
            }
            const std::int64_t left = problem_.out[2] - begin;
            alignas(kVectorBytes) T buffer[kVectors * kLanes<T>];
            T *to = problem_.y_space[2] == 1 ? y + begin : buffer;
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) {
                const std::int64_t there = left - v * kLanes<T>;
                if (there > 0) {
                    store_first(to + v * kLanes<T>, sums[v], there < kLanes<T> ? there : kLanes<T>);
                }
            }
            for (std::int64_t i = 0; problem_.y_space[2] != 1 && i < left && i < kVectors * kLanes<T>; ++i) {
                y[(begin + i) * problem_.y_space[2]] = buffer[i];
            }
        }
    }

    const Problem<T> &problem_;
    std::int64_t lines_; // of x between the first and the last one that a kernel meets
    std::int64_t phase_; // elements of one phase of a line
    std::int64_t line_;  // elements of a line
};

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_DEPTHWISE_HPP
