// SPDX-License-Identifier: Apache-2.0
//
// From Python objects to views of their memory, without a copy.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <string>

#include "layout.hpp"
#include "numpy_array.hpp"

namespace ndkernels {

namespace nb = nanobind;

// Throw TypeError and ValueError.
[[noreturn]] void raise_type(const std::string &message);
[[noreturn]] void raise_value(const std::string &message);

// The name of the object's type, for messages.
std::string kind_of(nb::handle object);

// The number of an object for which PyIndex_Check holds; one that is too large is clipped. Throws what its __index__
// raised.
Py_ssize_t to_index(nb::handle object);

// A set of dtypes, one bit for each.
using Dtypes = std::uint32_t;

constexpr Dtypes one_dtype(ndk_dtype dtype) { return Dtypes{1} << dtype; }

inline constexpr Dtypes floats = one_dtype(NDK_FLOAT32) | one_dtype(NDK_FLOAT64);
inline constexpr Dtypes all_dtypes = (Dtypes{2} << last_dtype) - 2;

// "float32 and float64"
std::string to_string(Dtypes dtypes);

struct Buffer {
    Py_buffer info;
    bool held = false;

    Buffer() = default;
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    ~Buffer() {
        if (held) {
            PyBuffer_Release(&info);
        }
    }
};

// The memory of an array that came as an argument. Holds the array, the buffer or the DLPack capsule of the Python
// object, so it must be made and destroyed with the GIL held.
class Argument {
public:
    // `name` is the parameter's, for messages, and must outlive this object.
    Argument(nb::handle object, const char *name, Dtypes accepted = floats);

    const View &view() const { return view_; }
    const Shape &shape() const { return view_.shape; }
    ndk_dtype dtype() const { return view_.dtype; }
    const char *name() const { return name_; }
    bool read_only() const { return read_only_; }

private:
    bool read_numpy(nb::handle object);
    void read_buffer(nb::handle object);
    void read_dlpack(nb::handle object);
    void check_alignment();
    bool accepts(ndk_dtype dtype) const { return dtype != 0 && (accepted_ & one_dtype(dtype)) != 0; }

    [[noreturn]] void refuse_dtype(nb::handle object, const std::string &fallback) const;
    [[noreturn]] void refuse_object(nb::handle object, const std::string &why) const;

    const char *name_;
    Dtypes accepted_;
    View view_;
    bool read_only_ = false;
    Buffer buffer_;
    nb::object array_;   // another thread cannot resize an array that is referred to twice
    nb::object capsule_; // its destructor gives the tensor back to its owner
};

} // namespace ndkernels
