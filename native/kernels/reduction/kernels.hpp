// SPDX-License-Identifier: Apache-2.0
//
// The reductions, one function for each family. The tensors have been checked: `out` is x with an extent of 1 along the
// axes that go.
#ifndef NDK_REDUCTION_KERNELS_HPP
#define NDK_REDUCTION_KERNELS_HPP

#include "ndkernels.h"

namespace ndk::reductions {

// NDK_SUM, NDK_PROD, NDK_MEAN: float32 and float64
ndk_status add_up(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out);

// NDK_MAX, NDK_MIN: float32 and float64; x has elements for each output
ndk_status extremum(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out);

// NDK_ARGMAX, NDK_ARGMIN: float32 and float64 to int64; x has elements for each output
ndk_status place(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out);

// NDK_ALL, NDK_ANY: float32, float64 and bool to bool
ndk_status truth(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out);

// NDK_LOGSUMEXP: float32 and float64
ndk_status logsumexp(const ndk_host *host, const ndk_tensor *x, const ndk_tensor *out);

// The sum of squared deviations from the mean, divided by max(count - correction, 0); `root` takes the square root.
ndk_status variance(const ndk_host *host, double correction, bool root, const ndk_tensor *x, const ndk_tensor *out);

} // namespace ndk::reductions
#endif // NDK_REDUCTION_KERNELS_HPP
