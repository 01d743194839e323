// SPDX-License-Identifier: Apache-2.0
#include "gemm/blocked.hpp"

template void ndk::multiply_block<float>(const ndk::Block<float> &, const ndk::Matrix<float> &);
NDK_INSTANTIATE_GEMM(float);
NDK_INSTANTIATE_MULTIPLY_PACKED(float);
