// SPDX-License-Identifier: Apache-2.0
#include "gemm/blocked.hpp"

NDK_INSTANTIATE_GEMM(double);
NDK_INSTANTIATE_MULTIPLY_PACKED(double);
