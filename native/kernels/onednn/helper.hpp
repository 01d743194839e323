// SPDX-License-Identifier: Apache-2.0
#ifndef NDK_ONEDNN_HELPER_HPP
#define NDK_ONEDNN_HELPER_HPP

#include "ndkernels.h"

namespace ndk::onednn {

extern const ndk_helper_source helper_source;

} // namespace ndk::onednn
#endif // NDK_ONEDNN_HELPER_HPP
