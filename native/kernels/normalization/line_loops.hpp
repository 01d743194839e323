// SPDX-License-Identifier: Apache-2.0
//
// Loops over consecutive elements: a map that writes, and sums of what a function gives for each vector. Both order
// their work by the number of elements alone.
#ifndef NDK_NORMALIZATION_LINE_LOOPS_HPP
#define NDK_NORMALIZATION_LINE_LOOPS_HPP

#include "vec.hpp"

namespace ndk {

// body(vectors of each source) is called for all elements, and store(place, result) with what it gives; the last vector
// may be partial, its other lanes are computed from zeros.
template <typename T, typename Body, typename... Source>
[[gnu::always_inline]] inline void map_line(T *out, std::int64_t count, const Body &body, const Source *...source) {
    std::int64_t i = 0;
    for (; i + 2 * kLanes<T> <= count; i += 2 * kLanes<T>) {
        const Vec<T> first = body(load(source + i)...);
        const Vec<T> second = body(load(source + i + kLanes<T>)...);
        store(out + i, first);
        store(out + i + kLanes<T>, second);
    }
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        store(out + i, body(load(source + i)...));
    }
    if (i < count) {
        store_partial(out + i, body(load_partial(source + i, count - i)...), count - i);
    }
}

// The sum of body(elements...), pairwise over blocks of kSumBlock and with four accumulators in each.
inline constexpr std::int64_t kSumBlock = 2048;

template <typename T, typename Body, typename... Source>
T sum_line(std::int64_t count, const Body &body, const Source *...source) {
    if (count > kSumBlock) {
        const std::int64_t half = (count / 2 + kSumBlock - 1) / kSumBlock * kSumBlock;
        return sum_line<T>(half, body, source...) + sum_line<T>(count - half, body, (source + half)...);
    }
    Vec<T> sums[4] = {};
    std::int64_t i = 0;
    for (; i + 4 * kLanes<T> <= count; i += 4 * kLanes<T>) {
        for (std::int64_t u = 0; u < 4; ++u) {
            sums[u] += body(load(source + i + u * kLanes<T>)...);
        }
    }
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        sums[0] += body(load(source + i)...);
    }
    T total = sum_of_lanes<T>((sums[0] + sums[1]) + (sums[2] + sums[3]));
    if (i < count) {
        alignas(kVectorBytes) T lanes[kLanes<T>];
        store(lanes, body(load_partial(source + i, count - i)...));
        for (std::int64_t rest = 0; i + rest < count; ++rest) {
            total += lanes[rest];
        }
    }
    return total;
}

// The largest element; NaN where there is one.
template <typename T>
T largest(const T *x, std::int64_t count) {
    Vec<T> most[4];
    for (Vec<T> &each : most) {
        each = splat(x[0]);
    }
    const auto take = [](Vec<T> &kept, Vec<T> next) {
        kept = next > kept ? next : kept;
        kept = next != next ? next : kept;
    };
    std::int64_t i = 0;
    for (; i + 4 * kLanes<T> <= count; i += 4 * kLanes<T>) {
        for (std::int64_t u = 0; u < 4; ++u) {
            take(most[u], load(x + i + u * kLanes<T>));
        }
    }
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        take(most[0], load(x + i));
    }
    take(most[0], most[1]);
    take(most[2], most[3]);
    take(most[0], most[2]);
    alignas(kVectorBytes) T lanes[kLanes<T>];
    store(lanes, most[0]);
    T result = lanes[0];
    const auto take_one = [&](T next) { result = next > result || next != next ? next : result; };
    for (std::int64_t lane = 1; lane < kLanes<T>; ++lane) {
        take_one(lanes[lane]);
    }
    for (; i < count; ++i) {
        take_one(x[i]);
    }
    return result;
}

} // namespace ndk
#endif // NDK_NORMALIZATION_LINE_LOOPS_HPP
