// SPDX-License-Identifier: Apache-2.0
//
// Pooling's steps by way of a line: rows are reduced to one line, and the windows of a line to one row.
#ifndef NDK_POOLING_LINE_HPP
#define NDK_POOLING_LINE_HPP

#include "pooling/lanes.hpp"

namespace ndk {

// line[i] = all of rows[0 .. Count) and, unless it is the first time, line[i]; what lies behind `columns` up to a full
// vector becomes neutral.
template <typename T, typename Op, int Count, bool First>
void reduce_rows(const T *const (&rows)[4], std::int64_t columns, T *line) {
    const auto all = [&](std::int64_t i, const auto &get) {
        Vec<T> value = get(rows[0] + i);
        if constexpr (Count > 1) {
            value = Op::template vectors<T>(value, get(rows[1] + i));
        }
        if constexpr (Count > 2) {
            value = Op::template vectors<T>(value, get(rows[2] + i));
        }
        if constexpr (Count > 3) {
            value = Op::template vectors<T>(value, get(rows[3] + i));
        }
        store(line + i, First ? value : Op::template vectors<T>(load(line + i), value));
    };
    std::int64_t i = 0;
    for (; i + kLanes<T> <= columns; i += kLanes<T>) {
        all(i, [](const T *from) { return load(from); });
    }
    if (i < columns) {
        const Vec<T> rest = splat<T>(Op::template kNeutral<T>);
        all(i, [&](const T *from) { return load_first<T>(from, columns - i, rest); });
    }
}

template <typename T, typename Op, bool First>
void reduce_some_rows(const T *const (&rows)[4], int count, std::int64_t columns, T *line) {
    switch (count) {
    case 1:
        return reduce_rows<T, Op, 1, First>(rows, columns, line);
    case 2:
        return reduce_rows<T, Op, 2, First>(rows, columns, line);
    case 3:
        return reduce_rows<T, Op, 3, First>(rows, columns, line);
    default:
        return reduce_rows<T, Op, 4, First>(rows, columns, line);
    }
}

// to[o] = all taps of line[o Stride + t dilation], times scale[o] for a mean
template <typename T, typename Op, int Stride>
void slide(const T *line, std::int64_t taps, std::int64_t dilation, std::int64_t count, const T *scale, T *to) {
    const auto pick = [](const T *from) {
        if constexpr (Stride == 1) {
            return load(from);
        } else {
            return evens<T>(load(from), load(from + kLanes<T>));
        }
    };
    for (std::int64_t o = 0; o < count; o += kLanes<T>) {
        const T *from = line + o * Stride;
        Vec<T> value = pick(from);
        for (std::int64_t t = 1; t < taps; ++t) {
            value = Op::template vectors<T>(value, pick(from + t * dilation));
        }
        if constexpr (Op::kMean) {
            value *= load(scale + o);
        }
        if (o + kLanes<T> <= count) {
            store(to + o, value);
        } else {
            store_first<T>(to + o, value, count - o);
        }
    }
}

// One window of a line, whose taps may be far apart or many
template <typename T, typename Op>
T reduce_window(const T *line, std::int64_t count, std::int64_t dilation) {
    T value = Op::template kNeutral<T>;
    std::int64_t i = 0;
    if (dilation == 1 && count >= 2 * kLanes<T>) {
        Vec<T> values = load(line);
        for (i = kLanes<T>; i + kLanes<T> <= count; i += kLanes<T>) {
            values = Op::template vectors<T>(values, load(line + i));
        }
        value = fold_lanes<T>(values, [](Vec<T> a, Vec<T> b) { return Op::template vectors<T>(a, b); });
    }
    for (; i < count; ++i) {
        value = Op::template numbers<T>(value, line[i * dilation]);
    }
    return value;
}

} // namespace ndk
#endif // NDK_POOLING_LINE_HPP
