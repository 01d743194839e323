// SPDX-License-Identifier: Apache-2.0
//
// The services that every kernel library gets from this module.
#pragma once

#include <string>
#include <vector>

#include "ndkernels.h"

namespace ndkernels {

const ndk_host &host();

// What has_feature says from now on; before, there is none. In the order of strcmp().
void set_features(const std::vector<std::string> &features);

} // namespace ndkernels
