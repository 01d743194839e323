// SPDX-License-Identifier: Apache-2.0
//
// What the binary functions compute, as functions of vectors, and their rows.
#ifndef NDK_ELEMENTWISE_BINARY_ROWS_HPP
#define NDK_ELEMENTWISE_BINARY_ROWS_HPP

#include "elementwise/map.hpp"
#include "elementwise/rows.hpp"
#include "math/power.hpp"

namespace ndk {

#define NDK_BINARY(Name, Result, cost, expression)                                                                     \
    template <typename T>                                                                                              \
    struct Name {                                                                                                      \
        static constexpr std::int64_t kCost = cost;                                                                    \
        [[gnu::always_inline]] Result<T> operator()(Vec<T> x1, Vec<T> x2) const { return expression; }                 \
    };
NDK_BINARY(Add, Vec, 4, x1 + x2)
NDK_BINARY(Subtract, Vec, 4, x1 - x2)
NDK_BINARY(Multiply, Vec, 4, x1 *x2)
NDK_BINARY(Divide, Vec, 4, x1 / x2)
// The instruction gives x2 where one of them is NaN; a NaN in x1 has to be asked for.
NDK_BINARY(Maximum, Vec, 4, x1 != x1 ? x1 : greater<T>(x1, x2))
NDK_BINARY(Minimum, Vec, 4, x1 != x1 ? x1 : lesser<T>(x1, x2))
NDK_BINARY(Power, Vec, 128, power_of<T>(x1, x2))
NDK_BINARY(Equal, Bits, 4, x1 == x2)
NDK_BINARY(NotEqual, Bits, 4, x1 != x2)
NDK_BINARY(Less, Bits, 4, x1 < x2)
NDK_BINARY(LessEqual, Bits, 4, x1 <= x2)
NDK_BINARY(Greater, Bits, 4, x1 > x2)
NDK_BINARY(GreaterEqual, Bits, 4, x1 >= x2)
#undef NDK_BINARY

// run(source1, source2) with what the inputs are.
template <typename T, typename Function>
[[gnu::always_inline]] inline void with_sources(const void *x1, bool constant1, const void *x2, bool constant2,
                                                const Function &function) {
    const auto *data1 = static_cast<const T *>(x1);
    const auto *data2 = static_cast<const T *>(x2);
    if (constant1 && constant2) {
        function(Splat<T>{splat(*data1)}, Splat<T>{splat(*data2)});
    } else if (constant1) {
        function(Splat<T>{splat(*data1)}, Run<T>{data2});
    } else if (constant2) {
        function(Run<T>{data1}, Splat<T>{splat(*data2)});
    } else {
        function(Run<T>{data1}, Run<T>{data2});
    }
}

template <typename T, typename Op>
void run_binary(const void *x1, bool constant1, const void *x2, bool constant2, void *out, std::int64_t count,
                bool stream) {
    with_sources<T>(x1, constant1, x2, constant2, [&](const auto &source1, const auto &source2) {
        if constexpr (Op::kCost <= 4) {
            if (stream) {
                map_run<true>(Op{}, static_cast<T *>(out), count, source1, source2);
                return;
            }
        }
        map_run<false>(Op{}, static_cast<T *>(out), count, source1, source2);
    });
}

template <typename T, typename Op>
void run_comparison(const void *x1, bool constant1, const void *x2, bool constant2, void *out, std::int64_t count,
                    bool) {
    with_sources<T>(x1, constant1, x2, constant2, [&](const auto &source1, const auto &source2) {
        compare_run<T>(Op{}, static_cast<std::uint8_t *>(out), count, source1, source2);
    });
}

template <typename T>
BinaryRow binary_row(ndk_binary_op op) {
    switch (op) {
    case NDK_ADD:
        return {run_binary<T, Add<T>>, Add<T>::kCost, false};
    case NDK_SUBTRACT:
        return {run_binary<T, Subtract<T>>, Subtract<T>::kCost, false};
    case NDK_MULTIPLY:
        return {run_binary<T, Multiply<T>>, Multiply<T>::kCost, false};
    case NDK_DIVIDE:
        return {run_binary<T, Divide<T>>, Divide<T>::kCost, false};
    case NDK_MAXIMUM:
        return {run_binary<T, Maximum<T>>, Maximum<T>::kCost, false};
    case NDK_MINIMUM:
        return {run_binary<T, Minimum<T>>, Minimum<T>::kCost, false};
    case NDK_POWER:
        return {run_binary<T, Power<T>>, Power<T>::kCost, false};
    case NDK_EQUAL:
        return {run_comparison<T, Equal<T>>, Equal<T>::kCost, true};
    case NDK_NOT_EQUAL:
        return {run_comparison<T, NotEqual<T>>, NotEqual<T>::kCost, true};
    case NDK_LESS:
        return {run_comparison<T, Less<T>>, Less<T>::kCost, true};
    case NDK_LESS_EQUAL:
        return {run_comparison<T, LessEqual<T>>, LessEqual<T>::kCost, true};
    case NDK_GREATER:
        return {run_comparison<T, Greater<T>>, Greater<T>::kCost, true};
    case NDK_GREATER_EQUAL:
        return {run_comparison<T, GreaterEqual<T>>, GreaterEqual<T>::kCost, true};
    }
    return {};
}

} // namespace ndk
#endif // NDK_ELEMENTWISE_BINARY_ROWS_HPP
