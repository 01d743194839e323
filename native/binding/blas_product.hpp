// SPDX-License-Identifier: Apache-2.0
//
// A product of matrices in the words of BLAS: which calls it can express, and with which arguments.
#pragma once

#include <cstdint>

#include "layout.hpp"

#include "ndkernels.h"

namespace ndkernels {

// One matrix of a stack, for CBLAS: its rows lie in one piece each, or else its columns, `leading` elements apart.
struct BlasMatrix {
    bool rows;
    std::int64_t leading;
};

struct BlasProduct {
    std::int64_t m, k, n;
    BlasMatrix x1, x2, out;
    std::int32_t stack_ndim; // leading axes that are gone through one by one
};

// Reads a call of "matmul". Answers NDK_TAKES where `product` was set.
std::int32_t read_blas_product(const ndk_call &call, BlasProduct &product);

} // namespace ndkernels
