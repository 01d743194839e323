// SPDX-License-Identifier: Apache-2.0
#include "elementwise.hpp"

#include <cstdlib>
#include <initializer_list>
#include <string>
#include <utility>

#include "function_call.hpp"
#include "operators.hpp"

namespace ndkernels {
namespace {

ndk_dtype result_dtype(ndk_binary_op op, ndk_dtype dtype) { return op >= NDK_EQUAL ? NDK_BOOL : dtype; }

// A plain array as a tensor that borrows the shape and the strides from NumPy.
ndk_tensor tensor_of(const NumpyArray &array, ndk_dtype dtype) {
    static_assert(sizeof(Py_ssize_t) == sizeof(std::int64_t));
    return {array.data,
            reinterpret_cast<const std::int64_t *>(array.shape),
            reinterpret_cast<const std::int64_t *>(array.strides),
            array.ndim,
            dtype,
            {NDK_CPU, 0}};
}

// What a kernel takes as it is: aligned, and with strides that are multiples of the element's size.
bool is_simple(const NumpyArray *array, ndk_dtype dtype) {
    if (array == nullptr || dtype == 0 || array->ndim > NDK_MAX_NDIM || (array->flags & NumpyArray::aligned) == 0) {
        return false;
    }
    for (int i = 0; i < array->ndim; ++i) {
        if ((array->strides[i] & (item_size(dtype) - 1)) != 0) {
            return false;
        }
    }
    return true;
}

bool same_shape(const NumpyArray &a, const NumpyArray &b) {
    bool same = a.ndim == b.ndim;
    for (int i = 0; same && i < a.ndim; ++i) {
        same = a.shape[i] == b.shape[i];
    }
    return same;
}

std::int64_t size_of(const NumpyArray &array) {
    std::int64_t size = 1;
    for (int i = 0; i < array.ndim; ++i) {
        size *= array.shape[i];
    }
    return size;
}

// Whether the result of these may be written to `out` directly: another array apart from them, or one of them.
bool may_take_result(const NumpyArray &out, const NumpyArray &input, std::int64_t size, std::int64_t out_item,
                     std::int64_t item) {
    constexpr int needed = NumpyArray::c_contiguous;
    if ((out.flags & input.flags & needed) == 0) {
        return false;
    }
    const char *out_end = out.data + size * out_item;
    const char *input_end = input.data + size * item;
    return (out.data == input.data && out_item == item) || out_end <= input.data || input_end <= out.data;
}

// The short way: `Count` plain arrays of one shape and dtype, and an `out` that is None or such an array. Empty where
// something is not as simple as that, or is wrong.
template <int Count, typename Compute>
nb::object run_plain(const char *name, const nb::handle (&objects)[Count], Dtypes accepted, bool compares,
                     nb::handle out, const Compute &compute) {
    const NumpyArray *arrays[Count];
    ndk_dtype dtype = {};
    bool fortran = true;
    for (int i = 0; i < Count; ++i) {
        arrays[i] = numpy_array(objects[i]);
        if (arrays[i] == nullptr) {
            return {};
        }
        if (i == 0) {
            dtype = arrays[0]->own_dtype();
        } else if (arrays[i]->dtype != arrays[0]->dtype || !same_shape(*arrays[i], *arrays[0])) {
            return {};
        }
        if (!is_simple(arrays[i], dtype)) {
            return {};
        }
        // As NumPy does: what all inputs have, the result gets.
        fortran = fortran && (arrays[i]->flags & (NumpyArray::c_contiguous | NumpyArray::f_contiguous)) ==
                                 NumpyArray::f_contiguous;
    }
    if ((accepted & one_dtype(dtype)) == 0) {
        return {};
    }
    const ndk_dtype to_dtype = compares ? NDK_BOOL : dtype;
    const std::int64_t size = size_of(*arrays[0]);
    nb::object result;
    if (out.is_none()) {
        result = new_numpy_array(to_dtype, arrays[0]->ndim, reinterpret_cast<const std::int64_t *>(arrays[0]->shape),
                                 fortran);
    } else {
        const NumpyArray *given = numpy_array(out);
        if (given == nullptr || given->own_dtype() != to_dtype || !is_simple(given, to_dtype) ||
            (given->flags & NumpyArray::writeable) == 0 || !same_shape(*given, *arrays[0])) {
            return {};
        }
        for (const NumpyArray *array : arrays) {
            if (!may_take_result(*given, *array, size, item_size(to_dtype), item_size(dtype))) {
                return {};
            }
        }
        result = nb::borrow(out);
    }
    const NumpyArray *target = numpy_array(result);
    ndk_tensor to = tensor_of(*target, to_dtype);
    ndk_tensor from[Count];
    nb::object held[Count]; // another thread cannot resize an array that is referred to twice
    for (int i = 0; i < Count; ++i) {
        from[i] = tensor_of(*arrays[i], dtype);
    }
    const ndk_table &kernels = table();
    ndk_status status = NDK_OK;
    if (size >= elements_worth_unlocking) {
        for (int i = 0; i < Count; ++i) {
            held[i] = nb::borrow(objects[i]);
        }
        const Unlocked unlocked(true);
        status = compute(kernels, &host(), from, &to);
    } else {
        status = compute(kernels, &host(), from, &to);
    }
    check(status, name);
    return result;
}

} // namespace

nb::object unary(ndk_unary_op op, const double *parameters, Dtypes accepted, nb::handle x_object, nb::handle out) {
    prepare();
    nb::object plain =
        run_plain<1>("unary", {x_object}, accepted, false, out,
                     [&](const ndk_table &kernels, const ndk_host *services, const ndk_tensor *from,
                         const ndk_tensor *to) { return kernels.unary(services, op, parameters, from, to); });
    if (plain.is_valid()) {
        return plain;
    }
    const Argument x(x_object, "x", accepted);
    Result result(out, x.dtype(), x.shape());
    const View target = result.target({&x.view()}, true);
    return run("unary", result, target, target.shape.size(), [&](const ndk_table &kernels, const ndk_host *services) {
        const ndk_tensor in = x.view().tensor();
        const ndk_tensor to = target.tensor();
        return kernels.unary(services, op, parameters, &in, &to);
    });
}

nb::object binary(ndk_binary_op op, nb::handle x1_object, nb::handle x2_object, nb::handle out) {
    prepare();
    nb::object plain =
        run_plain<2>("binary", {x1_object, x2_object}, floats, op >= NDK_EQUAL, out,
                     [&](const ndk_table &kernels, const ndk_host *services, const ndk_tensor *from,
                         const ndk_tensor *to) { return kernels.binary(services, op, from, from + 1, to); });
    if (plain.is_valid()) {
        return plain;
    }
    const Argument x1(x1_object, "x1");
    const Argument x2(x2_object, "x2");
    check_same_dtype(x1, x2);
    Shape shape;
    if (!broadcast_shapes(x1.shape(), x2.shape(), 0, shape)) {
        refuse_shapes(x1, x2,
                      "cannot be broadcast together; accepted are extents that are equal or 1 from the last axis on. "
                      "Reshape one of them first.");
    }
    Result result(out, result_dtype(op, x1.dtype()), shape);
    const View a = broadcast_to(x1.view(), shape, 0);
    const View b = broadcast_to(x2.view(), shape, 0);
    const View target = result.target({&a, &b}, op < NDK_EQUAL);
    return run("binary", result, target, shape.size(), [&](const ndk_table &kernels, const ndk_host *services) {
        const ndk_tensor first = a.tensor();
        const ndk_tensor second = b.tensor();
        const ndk_tensor to = target.tensor();
        return kernels.binary(services, op, &first, &second, &to);
    });
}

nb::object where(nb::handle condition_object, nb::handle x1_object, nb::handle x2_object, nb::handle out) {
    prepare();
    const Argument condition(condition_object, "condition", one_dtype(NDK_BOOL));
    const Argument x1(x1_object, "x1", all_dtypes);
    const Argument x2(x2_object, "x2", all_dtypes);
    check_same_dtype(x1, x2);
    Shape both;
    Shape shape;
    if (!broadcast_shapes(x1.shape(), x2.shape(), 0, both) || !broadcast_shapes(condition.shape(), both, 0, shape)) {
        raise_value("condition, x1 and x2: shapes " + to_string(condition.shape()) + ", " + to_string(x1.shape()) +
                    " and " + to_string(x2.shape()) +
                    " cannot be broadcast together; accepted are extents that are equal or 1 from the last axis on. "
                    "Reshape one of them first.");
    }
    Result result(out, x1.dtype(), shape);
    const View chosen = broadcast_to(condition.view(), shape, 0);
    const View a = broadcast_to(x1.view(), shape, 0);
    const View b = broadcast_to(x2.view(), shape, 0);
    const View target = result.target({&chosen, &a, &b}, false);
    return run("where", result, target, shape.size(), [&](const ndk_table &kernels, const ndk_host *services) {
        const ndk_tensor tensors[] = {chosen.tensor(), a.tensor(), b.tensor(), target.tensor()};
        const ndk_tensor *const inputs[] = {tensors, tensors + 1, tensors + 2};
        const ndk_tensor *const outputs[] = {tensors + 3};
        const ndk_call call = {services, inputs, outputs, nullptr, nullptr, 3, 1, 0, 0, nullptr};
        return find_operator(kernels, "where").run(&call);
    });
}

} // namespace ndkernels
