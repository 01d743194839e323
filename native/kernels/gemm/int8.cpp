// SPDX-License-Identifier: Apache-2.0
#include "gemm/blocked.hpp"

NDK_INSTANTIATE_GEMM(std::int8_t);
NDK_INSTANTIATE_MULTIPLY_PACKED(std::int32_t);
