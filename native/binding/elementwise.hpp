// SPDX-License-Identifier: Apache-2.0
//
// The functions of single elements. They are called for a handful of elements too, so each is a function of the C API
// that reads its arguments itself, and NumPy's arrays go a short way.
#pragma once

#include <nanobind/nanobind.h>

#include "arguments.hpp"
#include "ndkernels.h"

namespace ndkernels {

namespace nb = nanobind;

// `out` is None or an array.
nb::object unary(ndk_unary_op op, const double *parameters, Dtypes accepted, nb::handle x, nb::handle out);
nb::object binary(ndk_binary_op op, nb::handle x1, nb::handle x2, nb::handle out);
nb::object where(nb::handle condition, nb::handle x1, nb::handle x2, nb::handle out);

// The function called `name` for Python, with the text of its signature and documentation, as a member of `module`.
// Throws LookupError for an unknown name.
nb::object elementwise_function(const char *name, const char *signature, const char *doc, nb::str module);

} // namespace ndkernels
