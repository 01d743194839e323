// SPDX-License-Identifier: Apache-2.0
//
// What the functions of the module have in common: the call itself, and what they say about two arrays.
#pragma once

#include <string>

#include "arguments.hpp"
#include "host.hpp"
#include "kernel_call.hpp"
#include "layout.hpp"
#include "result.hpp"

namespace ndkernels {

// Calls compute(table, host), which writes to a view that `result` gave, and brings what it wrote to its place. `name`
// is the function's, for messages.
template <typename Compute>
nb::object run(const char *name, Result &result, const View &target, std::int64_t elements, const Compute &compute) {
    const ndk_table &kernels = table();
    ndk_status status = NDK_OK;
    {
        const Unlocked unlocked(elements >= elements_worth_unlocking);
        status = compute(kernels, &host());
        if (status == NDK_OK) {
            status = result.copy(target);
        }
    }
    check(status, name);
    return result.take();
}

inline void check_same_dtype(const Argument &x1, const Argument &x2) {
    if (x1.dtype() != x2.dtype()) {
        raise_type(std::string("x1 and x2: have dtypes ") + name_of(x1.dtype()) + " and " + name_of(x2.dtype()) +
                   ", and nothing is converted silently. Convert one of them first, for example with "
                   "numpy.asarray(..., dtype='" +
                   name_of(x1.dtype()) + "').");
    }
}

[[noreturn]] inline void refuse_shapes(const Argument &x1, const Argument &x2, const std::string &why) {
    raise_value("x1 and x2: shapes " + to_string(x1.shape()) + " and " + to_string(x2.shape()) + " " + why);
}

} // namespace ndkernels
