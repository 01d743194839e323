// SPDX-License-Identifier: Apache-2.0
//
// The services that every kernel library gets from this module.
#pragma once

#include "ndkernels.h"

namespace ndkernels {

const ndk_host &host();

// Reads the environment (NDKERNELS_LOG). Call once, at import.
void configure_host();

} // namespace ndkernels
