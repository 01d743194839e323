// SPDX-License-Identifier: Apache-2.0
//
// Problems on threads. Each element of y is computed by one thread, in an order that does not depend on how many there
// are.
#ifndef NDK_CONVOLUTION_RUN_HPP
#define NDK_CONVOLUTION_RUN_HPP

#include "depthwise.hpp"
#include "packed_filters.hpp"
#include "product.hpp"
#include "winograd.hpp"

namespace ndk::convolution {

template <typename T>
ndk_status run_product(const ndk_host *host, const Problem<T> &problem) {
    const Product<T> product(problem);
    constexpr double kGrain = 1 << 20; // multiplications that are worth another thread
    const double work = static_cast<double>(product.places()) * static_cast<double>(product.depth() + 1) *
                        static_cast<double>(problem.groups * problem.filters);
    const std::int64_t parts = parts_for(host, work < 1024 * kGrain ? static_cast<std::int64_t>(work / kGrain) : 1024);

    // Groups first, then places, and filters where there are too few places.
    constexpr std::int64_t kFilterUnit = tile_filters(1);
    const std::int64_t panels = product.panels();
    const std::int64_t wanted = parts == 1 ? 1 : 4 * parts;
    std::int64_t across = (wanted + problem.groups - 1) / problem.groups;
    across = across < panels / 2 ? across : (panels + 1) / 2;
    std::int64_t down = (wanted + problem.groups * across - 1) / (problem.groups * across);
    const std::int64_t most_down = (problem.filters + kFilterUnit - 1) / kFilterUnit;
    down = down < most_down ? down : most_down;
    const std::int64_t pieces = problem.groups * across * down;

    bool out_of_memory = false;
    const std::int64_t dealers = parts < pieces ? parts : pieces;
    parallel_for(host, dealers, [&](std::int64_t dealer) {
        const Scratch<T> scratch(host, product.scratch_size());
        if (scratch.get() == nullptr) {
            __atomic_store_n(&out_of_memory, true, __ATOMIC_RELAXED);
            return;
        }
        const std::int64_t end = part_begin(pieces, dealers, dealer + 1, 1);
        for (std::int64_t piece = part_begin(pieces, dealers, dealer, 1); piece < end; ++piece) {
            const std::int64_t group = piece / (across * down);
            const std::int64_t j = piece / down % across;
            const std::int64_t i = piece % down;
            product.run(group, part_begin(panels, across, j, 1), part_begin(panels, across, j + 1, 1),
                        part_begin(problem.filters, down, i, kFilterUnit),
                        part_begin(problem.filters, down, i + 1, kFilterUnit), scratch.get());
        }
    });
    return out_of_memory ? NDK_OUT_OF_MEMORY : NDK_OK;
}

template <typename T>
ndk_status run_depthwise(const ndk_host *host, const Problem<T> &problem, const Depthwise<T> &depthwise) {
    constexpr std::int64_t kGrain = std::int64_t{1} << 18; // multiplications that are worth another thread
    const std::int64_t count = problem.batch * problem.groups;
    const std::int64_t work = problem.filters * problem.pixels() * problem.taps();
    const std::int64_t parts = parts_for(host, work > kGrain ? count : count * (work / 64 + 1) / (kGrain / 64));
    const std::int64_t dealers = parts < count ? parts : count;
    bool out_of_memory = false;
    parallel_for(host, dealers, [&](std::int64_t dealer) {
        const Scratch<T> scratch(host, depthwise.scratch_size());
        if (scratch.get() == nullptr) {
            __atomic_store_n(&out_of_memory, true, __ATOMIC_RELAXED);
            return;
        }
        const std::int64_t end = part_begin(count, dealers, dealer + 1, 1);
        for (std::int64_t i = part_begin(count, dealers, dealer, 1); i < end; ++i) {
            depthwise.run(i / problem.groups, i % problem.groups, scratch.get());
        }
    });
    return out_of_memory ? NDK_OUT_OF_MEMORY : NDK_OK;
}

// y = convolution. Nothing is computed where y is empty. `call` is the one that may have the weights packed, or null.
template <typename T>
ndk_status run(const ndk_host *host, const Problem<T> &problem, const ndk_call *call = nullptr) {
    if (problem.batch * problem.groups * problem.filters * problem.pixels() == 0) {
        return NDK_OK;
    }
    if (const Depthwise<T> depthwise(problem); depthwise.fits()) {
        return run_depthwise(host, problem, depthwise);
    }
    if constexpr (sizeof(T) == sizeof(float)) {
        if (worth_winograd(problem)) {
            const float *weights =
                call == nullptr ? nullptr : packed_weights<float>(call, key_of(PackedKind::kWinograd, problem));
            bool finite = true;
            const ndk_status status = run_winograd(host, problem, weights, finite);
            if (finite || status != NDK_OK) {
                return status;
            }
        }
    }
    return run_product(host, call == nullptr ? problem : with_packed_filters(call, problem));
}

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_RUN_HPP
