// SPDX-License-Identifier: Apache-2.0
//
// The functions of the Python module. `out` is None or an array; all check their arguments and call the kernel library
// in use.
#pragma once

#include <nanobind/nanobind.h>

#include "packed.hpp"

namespace ndkernels {

namespace nb = nanobind;

nb::object matmul(nb::handle x1, nb::handle x2, nb::handle out);
// With a right operand that was packed, or not.
nb::object matmul_packed(nb::handle x1, nb::handle x2, nb::handle out, const Packed *packed);

} // namespace ndkernels
