// SPDX-License-Identifier: Apache-2.0
#include "arguments.hpp"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "dlpack.hpp"

namespace ndkernels {
namespace {

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

constexpr ndk_dtype no_dtype = ndk_dtype{};

// The dtype of a struct-module format with native byte order, whose elements have `size` bytes; no_dtype for others.
ndk_dtype dtype_of_format(const char *format, std::int64_t size) {
    if (format == nullptr) {
        return no_dtype;
    }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    constexpr char own_order = '<';
#else
    constexpr char own_order = '>';
#endif
    if (*format == '@' || *format == '=' || *format == own_order) {
        ++format;
    }
    if (std::strlen(format) != 1) {
        return no_dtype;
    }
    switch (*format) {
    case 'f':
        return NDK_FLOAT32;
    case 'd':
        return NDK_FLOAT64;
    case 'e':
        return NDK_FLOAT16;
    case '?':
        return NDK_BOOL;
    case 'b':
        return NDK_INT8;
    case 'i':
    case 'l':
    case 'q':
        return size == 4 ? NDK_INT32 : size == 8 ? NDK_INT64 : no_dtype;
    default:
        return no_dtype;
    }
}

ndk_dtype dtype_of_dlpack(const dlpack::DataType &dtype) {
    if (dtype.lanes != 1) {
        return no_dtype;
    }
    switch (dtype.code) {
    case dlpack::floating_point:
        return dtype.bits == 32   ? NDK_FLOAT32
               : dtype.bits == 64 ? NDK_FLOAT64
               : dtype.bits == 16 ? NDK_FLOAT16
                                  : no_dtype;
    case dlpack::brain_float:
        return dtype.bits == 16 ? NDK_BFLOAT16 : no_dtype;
    case dlpack::boolean:
        return dtype.bits == 8 ? NDK_BOOL : no_dtype;
    case dlpack::integer:
        return dtype.bits == 8 ? NDK_INT8 : dtype.bits == 32 ? NDK_INT32 : dtype.bits == 64 ? NDK_INT64 : no_dtype;
    default:
        return no_dtype;
    }
}

// NumPy's arrays of a dtype that a buffer cannot describe.
bool is_bfloat16_array(nb::handle object) {
    return nb::hasattr(object, "view") &&
           nb::cast<std::string>(nb::str(nb::getattr(object, "dtype", nb::none()))) == "bfloat16";
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

// Empty where it is no pair of integers.
std::optional<dlpack::Device> dlpack_device(nb::handle object, const char *name) {
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
    return fits ? std::optional<dlpack::Device>({numbers[0], numbers[1]}) : std::nullopt;
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

} // namespace

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

std::string to_string(Dtypes dtypes) {
    std::string text;
    for (std::uint32_t left = dtypes, dtype = 1; left != 0; ++dtype) {
        if ((left & one_dtype(static_cast<ndk_dtype>(dtype))) != 0) {
            left &= ~one_dtype(static_cast<ndk_dtype>(dtype));
            text += (text.empty() ? ""
                     : left == 0  ? " and "
                                  : ", ") +
                    std::string(name_of(static_cast<ndk_dtype>(dtype)));
        }
    }
    return text;
}

void Argument::refuse_object(nb::handle object, const std::string &why) const {
    raise_type(std::string(name_) + ": got " + kind_of(object) + why + "; accepted are arrays of " +
               to_string(accepted_) +
               " in CPU memory that support __dlpack__ or the buffer protocol. Make one first, for example with "
               "numpy.asarray(..., dtype='float32').");
}

// `fallback` is used for objects that do not tell their dtype.
void Argument::refuse_dtype(nb::handle object, const std::string &fallback) const {
    const nb::object own = nb::getattr(object, "dtype", nb::none());
    const std::string dtype = own.is_none() ? fallback : nb::cast<std::string>(nb::str(own));
    raise_type(std::string(name_) + ": dtype " + dtype + " is not supported; accepted are " + to_string(accepted_) +
               " in native byte order. Convert it first, for example with numpy.asarray(..., dtype='" +
               ((accepted_ & one_dtype(NDK_FLOAT64)) != 0 ? "float64" : to_string(accepted_ & (~accepted_ + 1))) +
               "').");
}

Argument::Argument(nb::handle object, const char *name, Dtypes accepted) : name_(name), accepted_(accepted) {
    if (read_numpy(object)) {
        return;
    }
    if (!is_plain_array(object)) {
        refuse_masked(object, name);
    }
    if (PyObject_CheckBuffer(object.ptr()) != 0) {
        read_buffer(object);
    } else if (nb::hasattr(object, "__dlpack__") && nb::hasattr(object, "__dlpack_device__")) {
        read_dlpack(object);
    } else {
        refuse_object(object, "");
    }
}

// False for what is no plain array, and for one that is to be refused: the long way has the words for it.
bool Argument::read_numpy(nb::handle object) {
    const NumpyArray *array = numpy_array(object);
    if (array == nullptr || array->ndim > NDK_MAX_NDIM || !accepts(array->own_dtype())) {
        return false;
    }
    view_.data = array->data;
    view_.dtype = array->own_dtype();
    view_.shape.ndim = array->ndim;
    std::copy_n(array->shape, array->ndim, view_.shape.extents);
    std::copy_n(array->strides, array->ndim, view_.strides);
    read_only_ = (array->flags & NumpyArray::writeable) == 0;
    check_alignment();
    array_ = nb::borrow(object);
    return true;
}

void Argument::read_buffer(nb::handle object) {
    ndk_dtype dtype = no_dtype;
    if (PyObject_GetBuffer(object.ptr(), &buffer_.info, PyBUF_RECORDS_RO) != 0) {
        nb::python_error error;
        // NumPy refuses so what a buffer cannot describe, for example bfloat16; KeyboardInterrupt is not about that.
        if (!error.matches(PyExc_Exception) || !nb::hasattr(object, "dtype")) {
            refuse_unreadable(error, name_, "its buffer");
        }
        if (!is_bfloat16_array(object)) {
            refuse_dtype(object, "");
        }
        dtype = NDK_BFLOAT16;
        const nb::object bits = object.attr("view")("uint16"); // the buffer keeps it
        if (PyObject_GetBuffer(bits.ptr(), &buffer_.info, PyBUF_RECORDS_RO) != 0) {
            throw nb::python_error();
        }
    }
    buffer_.held = true;
    const Py_buffer &info = buffer_.info;
    if (dtype == no_dtype) {
        dtype = dtype_of_format(info.format, info.itemsize);
    }
    if (!accepts(dtype)) {
        refuse_dtype(object, info.format == nullptr ? "uint8" : info.format);
    }
    if (info.ndim > NDK_MAX_NDIM) {
        refuse_ndim(name_, info.ndim);
    }
    Shape shape;
    for (std::int32_t i = 0; i < info.ndim; ++i) {
        shape.append(info.shape != nullptr ? info.shape[i] : info.len / info.itemsize);
    }
    view_ = contiguous(info.buf, dtype, shape);
    // Asked for or not, ctypes leaves them out.
    if (info.strides != nullptr) {
        std::copy(info.strides, info.strides + info.ndim, view_.strides);
    }
    read_only_ = info.readonly != 0;
    check_alignment();
}

void Argument::read_dlpack(nb::handle object) {
    // Asked before __dlpack__, which may have to wait for the other device.
    const std::optional<dlpack::Device> device = dlpack_device(object, name_);
    if (!device) {
        refuse_object(object, ", whose __dlpack_device__ did not return a pair of integers");
    }
    check_device(*device, name_);
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
        refuse_object(object, ", whose __dlpack__ did not return a capsule of DLPack");
    }

    const ndk_dtype dtype = dtype_of_dlpack(tensor->dtype);
    if (!accepts(dtype)) {
        refuse_dtype(object, "with DLPack code " + std::to_string(tensor->dtype.code) + " and " +
                                 std::to_string(tensor->dtype.bits) + " bits");
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
    view_ = contiguous(data == nullptr ? data : data + tensor->byte_offset, dtype, shape);
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
