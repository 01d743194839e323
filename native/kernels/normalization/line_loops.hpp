// SPDX-License-Identifier: Apache-2.0
//
// Loops over consecutive elements: a map that writes, and sums of what a function gives for each vector. Both order
// their work by the number of elements alone.
#ifndef NDK_NORMALIZATION_LINE_LOOPS_HPP
#define NDK_NORMALIZATION_LINE_LOOPS_HPP

#include "math/basic.hpp"
#include "shuffle.hpp"

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

// keep(i, result, count) gets body(elements...) from element i on, `count` of them; the result is their sum, pairwise
// over blocks of kSumBlock and with four accumulators in each.
inline constexpr std::int64_t kSumBlock = 2048;

template <typename T, typename Keep, typename Body, typename... Source>
T sum_kept(std::int64_t begin, std::int64_t count, const Keep &keep, const Body &body, const Source *...source) {
    if (count > kSumBlock) {
        const std::int64_t half = (count / 2 + kSumBlock - 1) / kSumBlock * kSumBlock;
        const T first = sum_kept<T>(begin, half, keep, body, source...);
        return first + sum_kept<T>(begin + half, count - half, keep, body, source...);
    }
    const std::int64_t end = begin + count;
    Vec<T> sums[4] = {};
    std::int64_t i = begin;
    for (; i + 4 * kLanes<T> <= end; i += 4 * kLanes<T>) {
        for (std::int64_t u = 0; u < 4; ++u) {
            const Vec<T> result = body(load(source + i + u * kLanes<T>)...);
            keep(i + u * kLanes<T>, result, kLanes<T>);
            sums[u] += result;
        }
    }
    for (; i + kLanes<T> <= end; i += kLanes<T>) {
        const Vec<T> result = body(load(source + i)...);
        keep(i, result, kLanes<T>);
        sums[0] += result;
    }
    T total = sum_of_lanes<T>((sums[0] + sums[1]) + (sums[2] + sums[3]));
    if (i < end) {
        const Vec<T> result = body(load_partial(source + i, end - i)...);
        keep(i, result, end - i);
        alignas(kVectorBytes) T lanes[kLanes<T>];
        store(lanes, result);
        for (std::int64_t rest = 0; i + rest < end; ++rest) {
            total += lanes[rest];
        }
    }
    return total;
}

// The sum of body(elements...).
template <typename T, typename Body, typename... Source>
T sum_line(std::int64_t count, const Body &body, const Source *...source) {
    return sum_kept<T>(0, count, [](std::int64_t, Vec<T>, std::int64_t) {}, body, source...);
}

// As map_line(), with the sum of what is written.
template <typename T, typename Body, typename... Source>
T map_line_sum(T *out, std::int64_t count, const Body &body, const Source *...source) {
    const auto keep = [&](std::int64_t i, Vec<T> result, std::int64_t elements) {
        if (elements == kLanes<T>) {
            store(out + i, result);
        } else {
            store_partial(out + i, result, elements);
        }
    };
    return sum_kept<T>(0, count, keep, body, source...);
}

// The largest of at least one element; where one is NaN, any of them or NaN.
template <typename T>
T largest(const T *x, std::int64_t count) {
    Vec<T> most[4];
    for (Vec<T> &each : most) {
        each = splat(x[0]);
    }
    std::int64_t i = 0;
    for (; i + 4 * kLanes<T> <= count; i += 4 * kLanes<T>) {
        for (std::int64_t u = 0; u < 4; ++u) {
            most[u] = greater<T>(most[u], load(x + i + u * kLanes<T>));
        }
    }
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        most[0] = greater<T>(most[0], load(x + i));
    }
    const auto join = [](Vec<T> a, Vec<T> b) { return greater<T>(a, b); };
    T result = fold_lanes<T>(join(join(most[0], most[1]), join(most[2], most[3])), join);
    for (; i < count; ++i) {
        result = x[i] > result ? x[i] : result;
    }
    return result;
}

} // namespace ndk
#endif // NDK_NORMALIZATION_LINE_LOOPS_HPP
