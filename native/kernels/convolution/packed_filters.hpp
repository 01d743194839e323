// SPDX-License-Identifier: Apache-2.0
//
// Weights that were packed once for many convolutions: transformed for Winograd's algorithm, or in rows from which
// the product reads them where they lie, instead of copying each block of them first.
#ifndef NDK_CONVOLUTION_PACKED_FILTERS_HPP
#define NDK_CONVOLUTION_PACKED_FILTERS_HPP

#include "convolution/problem.hpp"
#include "packed.hpp"
#include "winograd.hpp"

namespace ndk::convolution {

template <typename T>
PackedKey key_of(PackedKind kind, const Problem<T> &problem) {
    return PackedKey(kind, static_cast<std::int32_t>(sizeof(T)),
                     {problem.groups, problem.filters, problem.channels, problem.taps()});
}

// From one filter to the next: an odd number of lines, so that their rows lie in different cache sets.
template <typename T>
std::int64_t filter_row(const Problem<T> &problem) {
    constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(T));
    const std::int64_t lines = (problem.channels * problem.taps() + kLine - 1) / kLine;
    return (lines + 1 - lines % 2) * kLine;
}

template <typename T>
void set_filters(Problem<T> &problem, const T *filters) {
    problem.w = filters;
    problem.w_filter = filter_row(problem);
    problem.w_group = problem.filters * problem.w_filter;
    problem.w_channel = problem.taps();
    problem.w_space[2] = 1;
    problem.w_space[1] = problem.kernel[2];
    problem.w_space[0] = problem.kernel[1] * problem.kernel[2];
}

template <typename T>
Problem<T> with_packed_filters(const ndk_call *call, const Problem<T> &problem) {
    Problem<T> changed = problem;
    if (const T *filters = packed_weights<T>(call, key_of(PackedKind::kFilters, problem)); filters != nullptr) {
        set_filters(changed, filters);
    }
    return changed;
}

// `images` says whether the extents of the images are known.
template <typename T>
ndk_status pack_filters(const ndk_call *call, const Problem<T> &problem, bool images) {
    if constexpr (sizeof(T) == sizeof(float)) {
        // Larger ones do not stay in the caches, and reading them takes longer than transforming the weights.
        constexpr std::int64_t kMost = 1 << 20; // elements
        const bool winograd = images ? worth_winograd(problem) : may_winograd(problem);
        if (winograd && (images || winograd_size(problem) <= kMost)) {
            return pack_weights<float>(call, key_of(PackedKind::kWinograd, problem),
                                       winograd_size(problem) <= kMost ? winograd_size(problem) : 0, [&](float *to) {
                                           transform_weights(call->host, problem, to);
                                           return NDK_OK;
                                       });
        }
    }
    Problem<T> packed = problem;
    set_filters<T>(packed, nullptr);
    // As product.hpp decides it; what Depthwise takes is read once.
    const std::int64_t depth = problem.channels * problem.taps();
    const bool flat = problem.flat_taps() && (problem.channels == 1 || problem.w_channel == problem.taps());
    const bool direct = flat && ((images && problem.batch * problem.pixels() < 128) ||
                                 problem.w_filter * static_cast<std::int64_t>(sizeof(T)) % 2048 != 0);
    const bool worth = depth > 0 && !direct && (problem.channels > 1 || problem.filters > 4);
    return pack_weights<T>(
        call, key_of(PackedKind::kFilters, problem), worth ? problem.groups * packed.w_group : 0, [&](T *to) {
            for (std::int64_t i = 0; i < problem.groups * problem.filters; ++i) {
                const T *from =
                    problem.w + i / problem.filters * problem.w_group + i % problem.filters * problem.w_filter;
                T *row = to + i * packed.w_filter;
                for (std::int64_t tap = 0; tap < depth; ++tap) {
                    const std::int64_t within = tap % problem.taps();
                    const std::int64_t z = within / packed.w_space[0];
                    const std::int64_t y = within / packed.w_space[1] % problem.kernel[1];
                    const std::int64_t x = within % problem.kernel[2];
                    row[tap] = from[tap / problem.taps() * problem.w_channel + z * problem.w_space[0] +
                                    y * problem.w_space[1] + x * problem.w_space[2]];
                }
                for (std::int64_t tap = depth; tap < packed.w_filter; ++tap) {
                    row[tap] = 0;
                }
            }
            return NDK_OK;
        });
}

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_PACKED_FILTERS_HPP
