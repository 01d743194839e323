// SPDX-License-Identifier: Apache-2.0
//
// all and any. What is not 0 is true, NaN too. True and false over nothing.
#include <type_traits>

#include "reduction/either.hpp"
#include "reduction/engine.hpp"
#include "reduction/kernels.hpp"

namespace ndk {
namespace {

// `all` is that no element is 0.
template <typename T, bool All>
struct Truth {
    using In = T;
    using State = unsigned char; // 1 where an element was met that decides
    static constexpr int kPlanes = 1;
    static constexpr bool kInOrder = false;
    static constexpr std::int64_t kLeaf = ReductionLayout::kSegment;
    static constexpr std::int64_t kLeafRows = 64;
    static constexpr std::int64_t kRowBytes = 4096;
    static constexpr std::int64_t kBlock = 2048; // elements that are looked at before a decision is noticed

    static bool settled(const State *state) { return *state != 0; }
    void empty(State *state) const { *state = 0; }

    void leaf(const T *x, std::int64_t count, State *state) const {
        Lane met = 0;
        for (std::int64_t begin = 0; begin < count && met == 0; begin += kBlock) {
            const std::int64_t end = count - begin < kBlock ? count : begin + kBlock;
            for (std::int64_t i = begin; i < end; ++i) {
                met = static_cast<Lane>(met | (decides(x[i]) ? 1 : 0));
            }
        }
        *state = static_cast<State>(met);
    }

    void rows(const T *const *rows, std::int64_t count, std::int64_t width, State *states, std::int64_t) const {
        for (std::int64_t i = 0; i < width; ++i) {
            states[i] = decides(rows[0][i]) ? 1 : 0;
        }
        for (std::int64_t row = 1; row < count; ++row) {
            const T *each = rows[row];
            for (std::int64_t i = 0; i < width; ++i) {
                states[i] = static_cast<State>(states[i] | (decides(each[i]) ? 1 : 0));
            }
        }
    }

    void merge(State *states, std::int64_t, const State *others, std::int64_t, std::int64_t width, std::int64_t) const {
        for (std::int64_t i = 0; i < width; ++i) {
            states[i] = static_cast<State>(states[i] | others[i]);
        }
    }

    void finish(const State *states, std::int64_t, std::int64_t width, std::int64_t, char *out,
                std::int64_t stride) const {
        for (std::int64_t i = 0; i < width; ++i) {
            out[i * stride] = All == (states[i] == 0) ? 1 : 0;
        }
    }

private:
    using Lane = std::conditional_t<sizeof(T) == 1, std::uint8_t,
                                    std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>>;

    static bool decides(T value) { return All ? value == T{} : value != T{}; }
};

template <typename T>
ndk_status truth_typed(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    return reduce_with<Either<Truth<T, true>, Truth<T, false>>>(host, x, out, {op == NDK_ALL, {}, {}});
}

} // namespace

ndk_status reductions::truth(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    switch (x->dtype) {
    case NDK_BOOL:
        return truth_typed<std::uint8_t>(host, op, x, out);
    case NDK_FLOAT32:
        return truth_typed<float>(host, op, x, out);
    default:
        return truth_typed<double>(host, op, x, out);
    }
}

} // namespace ndk
