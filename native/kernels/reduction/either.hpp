// SPDX-License-Identifier: Apache-2.0
//
// Two operations in one, so that the engine is compiled once for both.
#ifndef NDK_REDUCTION_EITHER_HPP
#define NDK_REDUCTION_EITHER_HPP

#include <cstdint>

namespace ndk {

// One of two operations of the same sizes, as engine.hpp has them; which one is known when it runs.
template <typename First, typename Second>
struct Either {
    using In = typename First::In;
    using State = typename First::State;
    static constexpr int kPlanes = First::kPlanes;
    static constexpr bool kInOrder = First::kInOrder;
    static constexpr std::int64_t kLeaf = First::kLeaf;
    static constexpr std::int64_t kLeafRows = First::kLeafRows;
    static constexpr std::int64_t kRowBytes = First::kRowBytes;

    bool is_first;
    First first;
    Second second;

    static bool settled(const State *state) { return First::settled(state); }
    void empty(State *state) const { is_first ? first.empty(state) : second.empty(state); }

    void leaf(const In *x, std::int64_t count, State *state) const {
        is_first ? first.leaf(x, count, state) : second.leaf(x, count, state);
    }

    void rows(const In *const *rows, std::int64_t count, std::int64_t width, State *states, std::int64_t plane) const {
        is_first ? first.rows(rows, count, width, states, plane) : second.rows(rows, count, width, states, plane);
    }

    void merge(State *states, std::int64_t count, const State *others, std::int64_t other_count, std::int64_t width,
               std::int64_t plane) const {
        is_first ? first.merge(states, count, others, other_count, width, plane)
                 : second.merge(states, count, others, other_count, width, plane);
    }

    void finish(const State *states, std::int64_t count, std::int64_t width, std::int64_t plane, char *out,
                std::int64_t stride) const {
        is_first ? first.finish(states, count, width, plane, out, stride)
                 : second.finish(states, count, width, plane, out, stride);
    }
};

} // namespace ndk
#endif // NDK_REDUCTION_EITHER_HPP
