// SPDX-License-Identifier: Apache-2.0
#include "numpy_array.hpp"

#include <algorithm>
#include <cstddef>

namespace ndkernels {
namespace {

static_assert(sizeof(Py_ssize_t) == sizeof(std::int64_t), "NumPy's extents are as wide as a kernel's");

using NewFromDescr = PyObject *(*)(PyObject *type, PyObject *dtype, int ndim, const Py_ssize_t *shape,
                                   const Py_ssize_t *strides, void *data, int flags, PyObject *object);

// Borrowed for ever from NumPy, which is never unloaded.
PyObject *plain_array_type = nullptr;
PyObject *numpy_empty = nullptr;
PyObject *dtypes[last_dtype + 1] = {};
Py_ssize_t head_size = 0; // of PyObject_HEAD; 0 where the fields cannot be used
NewFromDescr new_from_descr = nullptr;

const NumpyArray *fields_of(nb::handle array) {
    return reinterpret_cast<const NumpyArray *>(reinterpret_cast<const char *>(array.ptr()) + head_size);
}

bool is_number(nb::handle object, std::int64_t number) { return nb::cast<std::int64_t>(object) == number; }

// Whether the fields of an array say what its attributes do.
bool fields_agree(nb::handle array) {
    const NumpyArray *fields = fields_of(array);
    const nb::object shape = array.attr("shape");
    const nb::object strides = array.attr("strides");
    if (!is_number(array.attr("ndim"), fields->ndim) || fields->ndim != static_cast<int>(nb::len(shape))) {
        return false;
    }
    for (int i = 0; i < fields->ndim; ++i) {
        if (!is_number(shape[i], fields->shape[i]) || !is_number(strides[i], fields->strides[i])) {
            return false;
        }
    }
    const nb::object flags = array.attr("flags");
    const auto has = [&](const char *name, int flag) {
        return nb::cast<bool>(nb::bool_(flags.attr(name))) == ((fields->flags & flag) != 0);
    };
    return fields->dtype == nb::object(array.attr("dtype")).ptr() &&
           nb::cast<std::uintptr_t>(array.attr("ctypes").attr("data")) ==
               reinterpret_cast<std::uintptr_t>(fields->data) &&
           has("c_contiguous", NumpyArray::c_contiguous) && has("f_contiguous", NumpyArray::f_contiguous) &&
           has("aligned", NumpyArray::aligned) && has("writeable", NumpyArray::writeable);
}

// The size of PyObject_HEAD is asked for: it differs with free threading, and in a debug build.
void find_fields(nb::handle numpy) {
    head_size =
        nb::cast<Py_ssize_t>(nb::handle(reinterpret_cast<PyObject *>(&PyBaseObject_Type)).attr("__basicsize__"));
    const nb::object array = numpy.attr("zeros")(nb::make_tuple(3, 5, 2), "float32");
    const nb::object view = array.attr("T")[nb::slice(nb::none(), nb::none(), nb::int_(-1))];
    array.attr("setflags")(nb::arg("write") = false);
    if (!fields_agree(array) || !fields_agree(view)) {
        head_size = 0;
    }
}

// The capsule that import_array() of NumPy's headers reads: entry 0 is the version of the binary interface, 2 the type
// of arrays, 94 PyArray_NewFromDescr.
void find_functions() {
    nb::object module;
    try {
        module = nb::module_::import_("numpy._core._multiarray_umath");
    } catch (nb::python_error &) { // NumPy 1 before 1.26
        module = nb::module_::import_("numpy.core._multiarray_umath");
    }
    const nb::object capsule = module.attr("_ARRAY_API");
    auto *const *table = static_cast<void *const *>(PyCapsule_GetPointer(capsule.ptr(), nullptr));
    if (table == nullptr) {
        throw nb::python_error();
    }
    const unsigned version = reinterpret_cast<unsigned (*)()>(table[0])();
    if ((version >> 24 == 1 || version >> 24 == 2) && table[2] == plain_array_type) {
        new_from_descr = reinterpret_cast<NewFromDescr>(table[94]);
    }
}

} // namespace

ndk_dtype NumpyArray::own_dtype() const noexcept {
    for (int i = NDK_FLOAT32; i <= last_dtype; ++i) {
        if (dtypes[i] == dtype) {
            return static_cast<ndk_dtype>(i);
        }
    }
    return ndk_dtype{};
}

void prepare_numpy(nb::handle numpy) {
    plain_array_type = numpy.attr("ndarray").inc_ref().ptr();
    for (int i = NDK_FLOAT32; i <= last_dtype; ++i) {
        if (i != NDK_BFLOAT16) {
            numpy_dtype(static_cast<ndk_dtype>(i));
        }
    }
    try {
        find_fields(numpy);
        find_functions();
    } catch (nb::python_error &error) {
        if (!error.matches(PyExc_Exception)) {
            throw; // KeyboardInterrupt
        }
        head_size = 0;
    }
    numpy_empty = numpy.attr("empty").inc_ref().ptr(); // last: it says that all is there
}

bool is_plain_array(nb::handle object) noexcept {
    return reinterpret_cast<PyObject *>(Py_TYPE(object.ptr())) == plain_array_type;
}

const NumpyArray *numpy_array(nb::handle object) noexcept {
    return head_size != 0 && is_plain_array(object) ? fields_of(object) : nullptr;
}

nb::handle numpy_dtype(ndk_dtype dtype) {
    PyObject *&known = dtypes[dtype];
    if (known == nullptr) {
        nb::object type = nb::str(name_of(dtype));
        if (dtype == NDK_BFLOAT16) {
            try {
                type = nb::module_::import_("ml_dtypes").attr("bfloat16");
            } catch (nb::python_error &error) {
                nb::raise_from(
                    error, PyExc_TypeError,
                    "NumPy has no bfloat16 of its own, and the package that has it could not be imported. Run: "
                    "python -m pip install ml_dtypes");
            }
        }
        known = nb::module_::import_("numpy").attr("dtype")(type).release().ptr();
    }
    return known;
}

nb::object new_numpy_array(ndk_dtype dtype, std::int32_t ndim, const std::int64_t *shape, bool fortran) {
    PyObject *const type = numpy_dtype(dtype).ptr();
    PyObject *array = nullptr;
    if (new_from_descr != nullptr) {
        Py_INCREF(type); // which is taken
        array = new_from_descr(plain_array_type, type, ndim, reinterpret_cast<const Py_ssize_t *>(shape), nullptr,
                               nullptr, fortran ? NumpyArray::f_contiguous : 0, nullptr);
    } else {
        const nb::object extents = nb::steal(PyTuple_New(ndim));
        if (!extents.is_valid()) {
            throw nb::python_error();
        }
        for (std::int32_t i = 0; i < ndim; ++i) {
            PyTuple_SetItem(extents.ptr(), i, nb::int_(shape[i]).release().ptr());
        }
        const nb::str order = nb::str(fortran ? "F" : "C");
        PyObject *arguments[] = {extents.ptr(), type, order.ptr()};
        array = PyObject_Vectorcall(numpy_empty, arguments, 3, nullptr);
    }
    if (array == nullptr) {
        throw nb::python_error();
    }
    return nb::steal(array);
}

} // namespace ndkernels
