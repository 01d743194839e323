// SPDX-License-Identifier: Apache-2.0
#include "gemm/blocked.hpp"

NDK_INSTANTIATE_GEMM(ndk::BFloat16);
NDK_INSTANTIATE_GEMM(ndk::Float16);
#ifdef NDK_PAIRED_BFLOAT16
NDK_INSTANTIATE_GEMM(ndk::PairedBFloat16);
#endif
