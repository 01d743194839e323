// SPDX-License-Identifier: Apache-2.0
//
// The functions behind the table; ndkernels.h says what each of them does.
#ifndef NDK_KERNELS_HPP
#define NDK_KERNELS_HPP

#include "ndkernels.h"

namespace ndk {

ndk_status unary(const ndk_host *host, ndk_unary_op op, const double *parameters, const ndk_tensor *x,
                 const ndk_tensor *out);
ndk_status binary(const ndk_host *host, ndk_binary_op op, const ndk_tensor *x1, const ndk_tensor *x2,
                  const ndk_tensor *out);
ndk_status reduce(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out);
ndk_status matmul(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out);

} // namespace ndk
#endif // NDK_KERNELS_HPP
