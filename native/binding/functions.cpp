// SPDX-License-Identifier: Apache-2.0
#include "functions.hpp"

#include <string>

#include "function_call.hpp"

namespace ndkernels {
namespace {

std::int32_t read_axis(nb::handle axis, std::int32_t ndim) {
    if (PyIndex_Check(axis.ptr()) == 0) {
        raise_type("axis: got " + kind_of(axis) +
                   "; accepted are None, an integer or a tuple of integers. Pass one of these.");
    }
    const Py_ssize_t given = to_index(axis); // a huge number is clipped, and out of range
    if (given < -ndim || given >= ndim) {
        raise_value("axis: " + std::to_string(given) + " is out of range for x with " + std::to_string(ndim) +
                    " dimensions" +
                    (ndim == 0 ? ". Pass axis=None."
                               : "; accepted are " + std::to_string(-ndim) + " to " + std::to_string(ndim - 1) + "."));
    }
    return static_cast<std::int32_t>(given < 0 ? given + ndim : given);
}

// Sets reduced[i] for each axis that goes.
void read_axes(nb::handle axis, std::int32_t ndim, bool *reduced) {
    const bool all = axis.is_none();
    for (std::int32_t i = 0; i < ndim; ++i) {
        reduced[i] = all;
    }
    if (all) {
        return;
    }
    if (!nb::isinstance<nb::tuple>(axis)) {
        reduced[read_axis(axis, ndim)] = true;
        return;
    }
    for (const nb::handle each : nb::borrow<nb::tuple>(axis)) {
        const std::int32_t i = read_axis(each, ndim);
        if (reduced[i]) {
            raise_value("axis: " + std::to_string(i) + " is given twice. Name each axis once.");
        }
        reduced[i] = true;
    }
}

} // namespace

nb::object reduce(ndk_reduce_op op, nb::handle x_object, nb::handle axis, nb::handle keepdims, nb::handle out) {
    prepare();
    const Argument x(x_object, "x");
    if (!PyBool_Check(keepdims.ptr())) {
        raise_type("keepdims: got " + kind_of(keepdims) + "; accepted are True and False. Pass one of these.");
    }
    const bool keep = keepdims.is(Py_True);
    bool reduced[NDK_MAX_NDIM];
    read_axes(axis, x.shape().ndim, reduced);
    Shape shape;
    for (std::int32_t i = 0; i < x.shape().ndim; ++i) {
        if (!reduced[i] || keep) {
            shape.append(reduced[i] ? 1 : x.shape()[i]);
        }
    }
    Result result(out, x.dtype(), shape);
    const View target = result.target({&x.view()}, false);
    View full = target; // with all axes of x
    for (std::int32_t i = 0; i < x.shape().ndim && !keep; ++i) {
        if (reduced[i]) {
            full = with_axis(full, i);
        }
    }
    return run("reduce", result, target, x.shape().size(), [&](const ndk_table &kernels, const ndk_host *services) {
        const ndk_tensor in = x.view().tensor();
        const ndk_tensor to = full.tensor();
        return kernels.reduce(services, op, &in, &to);
    });
}

} // namespace ndkernels
