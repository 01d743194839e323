// SPDX-License-Identifier: Apache-2.0
#include "arguments.hpp"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "dlpack.hpp"

namespace ndkernels {
namespace {

constexpr const char *accepted = "accepted are arrays of float32 or float64 in CPU memory that support __dlpack__ or "
                                 "the buffer protocol";

[[noreturn]] void refuse_object(nb::handle object, const char *name, const std::string &why) {
    raise_type(std::string(name) + ": got " + kind_of(object) + why + "; " + accepted +
               ". Make one first, for example with numpy.asarray(..., dtype='float32').");
}

// `fallback` is used for objects that do not tell their dtype.
[[noreturn]] void refuse_dtype(nb::handle object, const char *name, const std::string &fallback) {
    const nb::object own = nb::getattr(object, "dtype", nb::none());
    const std::string dtype = own.is_none() ? fallback : nb::cast<std::string>(nb::str(own));
    raise_type(std::string(name) + ": dtype " + dtype +
               " is not supported; accepted are float32 and float64 in native byte order. Convert it first, for "
               "example with numpy.asarray(..., dtype='float64').");
}

[[noreturn]] void refuse_ndim(const char *name, std::int32_t ndim) {
    raise_value(std::string(name) + ": has " + std::to_string(ndim) + " dimensions; accepted are at most " +
                std::to_string(NDK_MAX_NDIM) + ". Reshape it first.");
}

// For an object that has an interface but fails in using it; the object's own exception becomes the cause.
[[noreturn]] void refuse_unreadable(nb::python_error &error, const char *name, const char *interface) {
    if (!error.matches(PyExc_Exception)) {
        throw std::move(error); // KeyboardInterrupt
    }
    nb::raise_from(error, PyExc_ValueError, "%s: %s could not be read: %s. Pass it as a NumPy array.", name, interface,
                   nb::str(error.value()).c_str());
}

// DLPack's numbers of device types, with the names that frameworks print.
std::string device_name(std::int32_t type, std::int32_t id) {
    static constexpr const char *names[] = {"",        "cpu",          "cuda",   "cuda_host", "opencl",  "",
                                            "",        "vulkan",       "metal",  "vpi",       "rocm",    "rocm_host",
                                            "ext_dev", "cuda_managed", "oneapi", "webgpu",    "hexagon", "maia"};
    const bool known = type > 0 && type < static_cast<std::int32_t>(sizeof(names) / sizeof(*names));
    std::string name = known ? names[type] : "";
    if (name.empty()) {
        name = "DLPack device type " + std::to_string(type);
    }
    return name + ":" + std::to_string(id);
}

// The letter of a struct-module format with native byte order, or 0.
char native_format(const char *format) {
    if (format == nullptr) {
        return 0;
    }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    constexpr char own_order = '<';
#else
    constexpr char own_order = '>';
#endif
    if (*format == '@' || *format == '=' || *format == own_order) {
        ++format;
    }
    return std::strlen(format) == 1 ? *format : '\0';
}

// `object.__dlpack__(max_version=(1, 0))`, or without the argument for exporters that are older than it.
nb::object call_dlpack(nb::handle object, const char *name) {
    try {
        try {
            return object.attr("__dlpack__")(nb::arg("max_version") = nb::make_tuple(dlpack::major_version, 0));
        } catch (nb::python_error &error) {
            if (!error.matches(PyExc_TypeError)) {
                throw;
            }
        }
        return object.attr("__dlpack__")();
    } catch (nb::python_error &error) {
        refuse_unreadable(error, name, "its __dlpack__");
    }
}

dlpack::Device dlpack_device(nb::handle object, const char *name) {
    std::int32_t numbers[2] = {};
    bool fits = false;
    try {
        const nb::object pair = object.attr("__dlpack_device__")();
        fits = nb::isinstance<nb::tuple>(pair) && nb::len(pair) == 2;
        for (int i = 0; fits && i < 2; ++i) {
            const nb::object item = pair[i];
            fits = PyIndex_Check(item.ptr()) != 0; // an int, or an IntEnum as NumPy's and torch's
            const Py_ssize_t number = fits ? to_index(item) : 0;
            fits = fits && number == static_cast<std::int32_t>(number);
            numbers[i] = static_cast<std::int32_t>(number);
        }
    } catch (nb::python_error &error) {
        refuse_unreadable(error, name, "its __dlpack_device__");
    }
    if (!fits) {
        refuse_object(object, name, ", whose __dlpack_device__ did not return a pair of integers");
    }
    return {numbers[0], numbers[1]};
}

void check_device(const dlpack::Device &device, const char *name) {
    if (device.type != dlpack::cpu) {
        raise_value(std::string(name) + ": lies on device " + device_name(device.type, device.id) +
                    "; accepted is cpu memory. Copy it to the CPU first.");
    }
}

// numpy.ma: its buffer has what is under the mask too.
void refuse_masked(nb::handle object, const char *name) {
    if (nb::hasattr(object, "mask") && nb::hasattr(object, "filled")) {
        raise_type(std::string(name) +
                   ": is a masked array, and its mask would be ignored; accepted are arrays without "
                   "one. Pass x.filled(...) instead.");
    }
}

PyObject *plain_array_type = nullptr; // numpy.ndarray, borrowed for ever

} // namespace

void set_plain_array_type(PyObject *type) { plain_array_type = type; }

void raise_type(const std::string &message) { throw nb::type_error(message.c_str()); }

void raise_value(const std::string &message) { throw nb::value_error(message.c_str()); }

std::string kind_of(nb::handle object) { return nb::cast<std::string>(nb::str(object.type().attr("__name__"))); }

Py_ssize_t to_index(nb::handle object) {
    const Py_ssize_t number = PyNumber_AsSsize_t(object.ptr(), nullptr);
    if (number == -1 && PyErr_Occurred() != nullptr) {
        throw nb::python_error();
    }
    return number;
}

Argument::Argument(nb::handle object, const char *name) : name_(name) {
    if (object.type().ptr() != plain_array_type) {
        refuse_masked(object, name);
    }
    if (PyObject_CheckBuffer(object.ptr()) != 0) {
        read_buffer(object);
    } else if (nb::hasattr(object, "__dlpack__") && nb::hasattr(object, "__dlpack_device__")) {
        read_dlpack(object);
    } else {
        refuse_object(object, name, "");
    }
}

void Argument::read_buffer(nb::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &buffer_.info, PyBUF_RECORDS_RO) != 0) {
        nb::python_error error;
        // NumPy refuses so what a buffer cannot describe, for example bfloat16; KeyboardInterrupt is not about that.
        if (error.matches(PyExc_Exception) && nb::hasattr(object, "dtype")) {
            refuse_dtype(object, name_, "");
        }
        refuse_unreadable(error, name_, "its buffer");
    }
    buffer_.held = true;
    const Py_buffer &info = buffer_.info;
    const char format = native_format(info.format);
    if (format != 'f' && format != 'd') {
        refuse_dtype(object, name_, info.format == nullptr ? "uint8" : info.format);
    }
    if (info.ndim > NDK_MAX_NDIM) {
        refuse_ndim(name_, info.ndim);
    }
    Shape shape;
    for (std::int32_t i = 0; i < info.ndim; ++i) {
        shape.append(info.shape != nullptr ? info.shape[i] : info.len / info.itemsize);
    }
    view_ = contiguous(info.buf, format == 'f' ? NDK_FLOAT32 : NDK_FLOAT64, shape);
    // Asked for or not, ctypes leaves them out.
    if (info.strides != nullptr) {
        std::copy(info.strides, info.strides + info.ndim, view_.strides);
    }
    read_only_ = info.readonly != 0;
    check_alignment();
}

void Argument::read_dlpack(nb::handle object) {
    // Asked before __dlpack__, which may have to wait for the other device.
    check_device(dlpack_device(object, name_), name_);
    capsule_ = call_dlpack(object, name_);
    const dlpack::Tensor *tensor = nullptr;
    if (PyCapsule_IsValid(capsule_.ptr(), dlpack::versioned_capsule_name) != 0) {
        const auto *managed = static_cast<const dlpack::ManagedVersioned *>(
            PyCapsule_GetPointer(capsule_.ptr(), dlpack::versioned_capsule_name));
        if (managed->major != dlpack::major_version) {
            raise_value(std::string(name_) + ": speaks DLPack " + std::to_string(managed->major) +
                        "; accepted is version 1. Pass it through numpy.from_dlpack first.");
        }
        read_only_ = (managed->flags & dlpack::read_only_flag) != 0;
        tensor = &managed->tensor;
    } else if (PyCapsule_IsValid(capsule_.ptr(), dlpack::capsule_name) != 0) {
        tensor =
            &static_cast<const dlpack::Managed *>(PyCapsule_GetPointer(capsule_.ptr(), dlpack::capsule_name))->tensor;
    } else {
        refuse_object(object, name_, ", whose __dlpack__ did not return a capsule of DLPack");
    }

    const dlpack::DataType dtype = tensor->dtype;
    if (dtype.code != dlpack::floating_point || dtype.lanes != 1 || (dtype.bits != 32 && dtype.bits != 64)) {
        refuse_dtype(object, name_,
                     "with DLPack code " + std::to_string(dtype.code) + " and " + std::to_string(dtype.bits) + " bits");
    }
    check_device(tensor->device, name_);
    if (tensor->ndim > NDK_MAX_NDIM) {
        refuse_ndim(name_, tensor->ndim);
    }
    if (tensor->ndim < 0 || (tensor->ndim > 0 && tensor->shape == nullptr) ||
        std::any_of(tensor->shape, tensor->shape + tensor->ndim, [](auto n) { return n < 0; })) {
        raise_value(std::string(name_) + ": its __dlpack__ gave a negative number of dimensions or elements, or no "
                                         "shape. Pass it through numpy.asarray first.");
    }
    Shape shape;
    for (std::int32_t i = 0; i < tensor->ndim; ++i) {
        shape.append(tensor->shape[i]);
    }
    if (tensor->data == nullptr && shape.size() != 0) {
        raise_value(std::string(name_) + ": its __dlpack__ gave no memory. Pass it through numpy.asarray first.");
    }
    char *data = static_cast<char *>(tensor->data);
    view_ = contiguous(data == nullptr ? data : data + tensor->byte_offset,
                       dtype.bits == 32 ? NDK_FLOAT32 : NDK_FLOAT64, shape);
    if (tensor->strides != nullptr) {
        for (std::int32_t i = 0; i < tensor->ndim; ++i) {
            view_.strides[i] = tensor->strides[i] * item_size(view_.dtype);
        }
    }
    check_alignment();
}

// Kernels get addresses and strides that are multiples of the element's size. A stride that is never taken may be
// anything, and NumPy makes use of that.
void Argument::check_alignment() {
    const std::int64_t item = item_size(view_.dtype);
    bool aligned = reinterpret_cast<std::uintptr_t>(view_.data) % static_cast<std::uintptr_t>(item) == 0;
    bool empty = false;
    for (std::int32_t i = 0; i < view_.shape.ndim; ++i) {
        if (view_.strides[i] % item != 0) {
            aligned = aligned && view_.shape[i] <= 1;
            view_.strides[i] = item;
        }
        empty = empty || view_.shape[i] == 0;
    }
    if (!aligned && !empty) {
        raise_value(std::string(name_) + ": its elements do not lie at multiples of " + std::to_string(item) +
                    " bytes; accepted are aligned arrays. Pass a copy, for example numpy.array(...).");
    }
}

} // namespace ndkernels
