// SPDX-License-Identifier: Apache-2.0
//
// The services that every kernel library gets from this module.
#pragma once

#include "ndkernels.h"

namespace ndkernels {

const ndk_host &host();

} // namespace ndkernels
