// SPDX-License-Identifier: Apache-2.0
#ifndef NDK_ELEMENTWISE_COPY_HPP
#define NDK_ELEMENTWISE_COPY_HPP

#include "ndkernels.h"

namespace ndk {

// Copies elements of any dtype; both tensors have been checked.
void copy(const ndk_host *host, const ndk_tensor &x, const ndk_tensor &out);

} // namespace ndk
#endif // NDK_ELEMENTWISE_COPY_HPP
