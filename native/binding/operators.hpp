// SPDX-License-Identifier: Apache-2.0
//
// What the package's Python functions are made of: arrays from whatever was passed, and calls of the kernel library's
// operators by name. Shapes are checked in Python, by the function that documents them.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "arguments.hpp"
#include "packed.hpp"

namespace ndkernels {

// Adds the class that keeps what is not NumPy's own memory alive.
void define_borrowed(nb::module_ &module);

// `object` itself where it is a plain NumPy array, else a NumPy array of the same memory. Throws TypeError and
// ValueError that begin with `name`.
nb::object array(nb::handle object, const char *name, Dtypes accepted);

// Throws LookupError for an unknown one.
const ndk_operator &find_operator(const ndk_table &table, const char *name);

// One output as Python describes it: (shape, dtype, out), where the dtype is its name or NumPy's, and out None or an
// array. The result is the array, or a tuple of them where there are more than one. Throws LookupError for an unknown
// operator.
nb::object call(const char *name, nb::tuple inputs, nb::tuple outputs, const std::vector<std::int64_t> &integers,
                const std::vector<double> &numbers);

// The same with weights among the inputs that were packed, or none.
nb::object call_packed(const char *name, nb::tuple inputs, nb::tuple outputs, const std::vector<std::int64_t> &integers,
                       const std::vector<double> &numbers, const Packed *packed);

// The names of the operators of the library in use.
nb::list operators();

} // namespace ndkernels
