// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "function_call.hpp"
#include "functions.hpp"
#include "helpers.hpp"
#include "operators.hpp"

namespace ndkernels {
namespace {

constexpr Dtypes multiplied = floats | one_dtype(NDK_FLOAT16) | one_dtype(NDK_BFLOAT16) | one_dtype(NDK_INT8);

} // namespace

nb::object matmul(nb::handle x1_object, nb::handle x2_object, nb::handle out) {
    return matmul_packed(x1_object, x2_object, out, nullptr);
}

nb::object matmul_packed(nb::handle x1_object, nb::handle x2_object, nb::handle out, const Packed *packed) {
    prepare();
    const Argument x1(x1_object, "x1", multiplied);
    const Argument x2(x2_object, "x2", multiplied);
    check_same_dtype(x1, x2);
    for (const Argument *x : {&x1, &x2}) {
        if (x->shape().ndim == 0) {
            raise_value(std::string(x->name()) +
                        ": has 0 dimensions; matmul accepts 1 or more. Use multiply for a scalar.");
        }
    }
    // As NumPy: a vector is a row on the left and a column on the right, and that axis is not in the result.
    const bool row = x1.shape().ndim == 1;
    const bool column = x2.shape().ndim == 1;
    const View left = row ? with_axis(x1.view(), 0) : x1.view();
    const View right = column ? with_axis(x2.view(), 1) : x2.view();
    const std::int64_t m = left.shape[left.shape.ndim - 2];
    const std::int64_t k = left.shape[left.shape.ndim - 1];
    const std::int64_t n = right.shape[right.shape.ndim - 1];
    if (k != right.shape[right.shape.ndim - 2]) {
        refuse_shapes(x1, x2,
                      "do not fit: x1 has " + std::to_string(k) + " columns and x2 has " +
                          std::to_string(right.shape[right.shape.ndim - 2]) +
                          " rows; accepted are (..., m, k) and (..., k, n). Transpose or reshape one of them first.");
    }
    Shape batch;
    if (!broadcast_shapes(left.shape, right.shape, 2, batch)) {
        refuse_shapes(x1, x2,
                      "cannot be broadcast together in the axes before the last two; accepted are extents that are "
                      "equal or 1. Reshape one of them first.");
    }
    Shape shape = batch;
    if (!row) {
        shape.append(m);
    }
    if (!column) {
        shape.append(n);
    }
    Result result(out, x1.dtype() == NDK_INT8 ? NDK_INT32 : x1.dtype(), shape);
    const View a = broadcast_to(left, batch, 2);
    const View b = broadcast_to(right, batch, 2);
    const View target = result.target({&a, &b}, false);
    View full = row ? with_axis(target, batch.ndim) : target;
    if (column) {
        full = with_axis(full, batch.ndim + 1);
    }
    // An estimate that cannot overflow: what is read and written, not what is multiplied.
    const std::int64_t elements = shape.size() + m * k + k * n;
    return run("matmul", result, target, elements, [&](const ndk_table &kernels, const ndk_host *services) {
        const ndk_tensor first = a.tensor();
        const ndk_tensor second = b.tensor();
        const ndk_tensor to = full.tensor();
        const ndk_tensor *const inputs[] = {&first, &second};
        const ndk_tensor *const outputs[] = {&to};
        const ndk_call call = {services, inputs, outputs, nullptr, nullptr,
                               2,        1,      0,       0,       packed == nullptr ? nullptr : &packed->get()};
        const ndk_helper_operator *helper = choose("matmul", call);
        return helper != nullptr ? run_helper(*helper, call) : kernels.matmul(services, &first, &second, &to);
    });
}

} // namespace ndkernels
