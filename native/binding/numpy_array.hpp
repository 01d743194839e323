// SPDX-License-Identifier: Apache-2.0
//
// NumPy's own arrays, read and made without a detour through Python calls or the buffer protocol, which writes a format
// string for each array. What is used is the part of NumPy's binary interface that its headers compile into every
// extension module: the first fields of an array, and two entries of its table of functions. Both are the same in
// NumPy 1 and 2, and are tried when NumPy is imported; where they are not as expected, everything here says no, and the
// callers go the long way.
#pragma once

#include <nanobind/nanobind.h>

#include "layout.hpp"

namespace ndkernels {

namespace nb = nanobind;

// What follows PyObject_HEAD in a PyArrayObject (numpy/core/include/numpy/ndarraytypes.h).
struct NumpyArray {
    static constexpr int c_contiguous = 0x1;
    static constexpr int f_contiguous = 0x2;
    static constexpr int aligned = 0x100;
    static constexpr int writeable = 0x400;

    char *data;
    int ndim;
    Py_ssize_t *shape;
    Py_ssize_t *strides;
    PyObject *base;
    PyObject *dtype;
    int flags;

    // 0 for what is no dtype of ours, in native byte order and without metadata.
    ndk_dtype own_dtype() const noexcept;
};

// To be called once, with the imported module.
void prepare_numpy(nb::handle numpy);

// Whether it is numpy.ndarray itself, and no subclass.
bool is_plain_array(nb::handle object) noexcept;

// The fields of a plain array; NULL for another object, and where they cannot be used.
const NumpyArray *numpy_array(nb::handle object) noexcept;

// What numpy.dtype() makes of the name; bfloat16 comes from ml_dtypes. Borrowed for ever. Throws TypeError where
// ml_dtypes is not installed.
nb::handle numpy_dtype(ndk_dtype dtype);

// An array with undefined contents, in Fortran's order if asked for.
nb::object new_numpy_array(ndk_dtype dtype, std::int32_t ndim, const std::int64_t *shape, bool fortran = false);

} // namespace ndkernels
