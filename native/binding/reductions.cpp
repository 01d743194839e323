// SPDX-License-Identifier: Apache-2.0
#include "reductions.hpp"

#include <string>

#include "arguments.hpp"
#include "function_call.hpp"
#include "layout.hpp"
#include "operators.hpp"
#include "result.hpp"

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

// argmax and argmin have one axis, or all.
void refuse_several(nb::handle axis) {
    if (nb::isinstance<nb::tuple>(axis)) {
        raise_type("axis: got tuple; accepted are None and an integer. Pass one of these.");
    }
}

[[noreturn]] void refuse_empty(const char *name, const Shape &shape) {
    raise_value("x: has shape " + to_string(shape) + ", and the " + name +
                " of no elements has no value. Pass an array that has elements along the axis.");
}

// What a function adds to the reading of its arguments.
struct Kind {
    const char *name;
    Dtypes accepted = floats;
    ndk_dtype result = ndk_dtype{}; // where it is not x's
    bool needs_elements = false;
};

// compute(table, host, x, out) gets `out` with the dimensions of x.
template <typename Compute>
nb::object reduce(const Kind &kind, nb::handle x_object, nb::handle axis, nb::handle keepdims, nb::handle out,
                  const Compute &compute) {
    prepare();
    const Argument x(x_object, "x", kind.accepted);
    if (!PyBool_Check(keepdims.ptr())) {
        raise_type("keepdims: got " + kind_of(keepdims) + "; accepted are True and False. Pass one of these.");
    }
    const bool keep = keepdims.is(Py_True);
    bool reduced[NDK_MAX_NDIM];
    read_axes(axis, x.shape().ndim, reduced);
    Shape shape;
    bool over_nothing = false;
    for (std::int32_t i = 0; i < x.shape().ndim; ++i) {
        over_nothing = over_nothing || (reduced[i] && x.shape()[i] == 0);
        if (!reduced[i] || keep) {
            shape.append(reduced[i] ? 1 : x.shape()[i]);
        }
    }
    if (kind.needs_elements && over_nothing && shape.size() > 0) {
        refuse_empty(kind.name, x.shape());
    }
    Result result(out, kind.result == ndk_dtype{} ? x.dtype() : kind.result, shape);
    const View target = result.target({&x.view()}, false);
    View full = target; // with all axes of x
    for (std::int32_t i = 0; i < x.shape().ndim && !keep; ++i) {
        if (reduced[i]) {
            full = with_axis(full, i);
        }
    }
    return run(kind.name, result, target, x.shape().size(), [&](const ndk_table &kernels, const ndk_host *services) {
        const ndk_tensor in = x.view().tensor();
        const ndk_tensor to = full.tensor();
        return compute(kernels, services, in, to);
    });
}

constexpr Kind kind_of_op(ndk_reduce_op op) {
    constexpr Dtypes truths = floats | one_dtype(NDK_BOOL);
    switch (op) {
    case NDK_SUM:
        return {"sum"};
    case NDK_PROD:
        return {"prod"};
    case NDK_MEAN:
        return {"mean"};
    case NDK_MAX:
        return {"max", floats, {}, true};
    case NDK_MIN:
        return {"min", floats, {}, true};
    case NDK_ARGMAX:
        return {"argmax", floats, NDK_INT64, true};
    case NDK_ARGMIN:
        return {"argmin", floats, NDK_INT64, true};
    case NDK_LOGSUMEXP:
        return {"logsumexp"};
    case NDK_ALL:
        return {"all", truths, NDK_BOOL};
    case NDK_ANY:
        return {"any", truths, NDK_BOOL};
    }
    return {""};
}

template <ndk_reduce_op op>
nb::object reduction(nb::handle x, nb::handle axis, nb::handle keepdims, nb::handle out) {
    if (op == NDK_ARGMAX || op == NDK_ARGMIN) {
        refuse_several(axis);
    }
    return reduce(kind_of_op(op), x, axis, keepdims, out,
                  [](const ndk_table &kernels, const ndk_host *services, const ndk_tensor &in, const ndk_tensor &to) {
                      return kernels.reduce(services, op, &in, &to);
                  });
}

template <bool root>
nb::object deviation(nb::handle x, nb::handle axis, nb::handle keepdims, nb::handle out, double correction) {
    return reduce({root ? "std" : "var"}, x, axis, keepdims, out,
                  [&](const ndk_table &kernels, const ndk_host *services, const ndk_tensor &in, const ndk_tensor &to) {
                      const ndk_tensor *inputs[] = {&in};
                      const ndk_tensor *outputs[] = {&to};
                      const ndk_call call = {services, inputs, outputs, nullptr, &correction, 1, 1, 0, 1, nullptr};
                      return find_operator(kernels, root ? "standard_deviation" : "variance").run(&call);
                  });
}

template <ndk_reduce_op op>
void define(nb::module_ &module) {
    const auto any = nb::arg().none();
    module.def(kind_of_op(op).name, &reduction<op>, any, any, any, any);
}

} // namespace

void define_reductions(nb::module_ &module) {
    define<NDK_SUM>(module);
    define<NDK_PROD>(module);
    define<NDK_MEAN>(module);
    define<NDK_MAX>(module);
    define<NDK_MIN>(module);
    define<NDK_ARGMAX>(module);
    define<NDK_ARGMIN>(module);
    define<NDK_LOGSUMEXP>(module);
    define<NDK_ALL>(module);
    define<NDK_ANY>(module);
    const auto any = nb::arg().none();
    module.def("var", &deviation<false>, any, any, any, any, nb::arg());
    module.def("std", &deviation<true>, any, any, any, any, nb::arg());
}

} // namespace ndkernels
