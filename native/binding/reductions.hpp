// SPDX-License-Identifier: Apache-2.0
//
// The reductions: what they share is the reading of axis, keepdims and out.
#pragma once

#include <nanobind/nanobind.h>

#include "ndkernels.h"

namespace ndkernels {

namespace nb = nanobind;

// Adds all of them to the module.
void define_reductions(nb::module_ &module);

} // namespace ndkernels
