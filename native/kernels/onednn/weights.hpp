// SPDX-License-Identifier: Apache-2.0
//
// Weights in the order that oneDNN wants, kept for as long as the handle lives that they belong to (ndk_packed).
#ifndef NDK_ONEDNN_WEIGHTS_HPP
#define NDK_ONEDNN_WEIGHTS_HPP

#include "ndkernels.h"
#include "onednn/api.hpp"

namespace ndk::onednn {

// The weights of that handle that are an argument of that role, in that order; NULL where they are not kept yet.
void *kept_weights(std::uint64_t id, int role, ConstDesc order);

// Keeps memory of the host that holds them, and frees it later; or frees it at once where another thread was faster.
// Returns what to use. NULL, with `data` as it was, where there is no memory to keep it.
void *keep_weights(const ndk_host *host, std::uint64_t id, int role, ConstDesc order, void *data);

// As ndk_helper has it.
void forget_weights(std::uint64_t id);

} // namespace ndk::onednn
#endif // NDK_ONEDNN_WEIGHTS_HPP
