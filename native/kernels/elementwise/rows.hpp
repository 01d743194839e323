// SPDX-License-Identifier: Apache-2.0
//
// The elementwise functions on consecutive elements: what the walk over strided views calls.
#ifndef NDK_ELEMENTWISE_ROWS_HPP
#define NDK_ELEMENTWISE_ROWS_HPP

#include <cstdint>

#include "ndkernels.h"

namespace ndk {

// out[i] = op(x[i]) for i in [0, count); `out` may be x. `stream`: the result is far larger than the caches.
struct UnaryRow {
    void (*run)(const double *parameters, const void *x, void *out, std::int64_t count, bool stream) = nullptr;
    std::int64_t cost = 0;  // about how many vector instructions a vector takes: decides from which size on threads pay
    bool any_width = false; // also for float16 and bfloat16, which become float for it
};

// out[i] = op(x1[i], x2[i]); a constant input is one element for all i.
struct BinaryRow {
    void (*run)(const void *x1, bool constant1, const void *x2, bool constant2, void *out, std::int64_t count,
                bool stream) = nullptr;
    std::int64_t cost = 0;
    bool compares = false; // the result is NDK_BOOL
};

// Without `run` where there is no such function. T is float or double.
template <typename T>
UnaryRow unary_row(ndk_unary_op op);
template <typename T>
BinaryRow binary_row(ndk_binary_op op);

} // namespace ndk
#endif // NDK_ELEMENTWISE_ROWS_HPP
