// SPDX-License-Identifier: Apache-2.0
#include "operators.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "helpers.hpp"
#include "host.hpp"
#include "kernel_call.hpp"
#include "result.hpp"

namespace ndkernels {
namespace {

constexpr std::size_t most_tensors = 16; // of the inputs of one call, and of its outputs

// Memory of somebody else, for NumPy's array interface.
// Source: https://numpy.org/doc/stable/reference/arrays.interface.html (version 3)
class Borrowed {
public:
    Borrowed(nb::handle object, const char *name, Dtypes accepted) : argument_(object, name, accepted) {}

    ndk_dtype dtype() const { return argument_.dtype(); }

    nb::dict array_interface() const {
        const View &view = argument_.view();
        nb::list shape;
        nb::list strides;
        for (std::int32_t i = 0; i < view.shape.ndim; ++i) {
            shape.append(view.shape[i]);
            strides.append(view.strides[i]);
        }
        nb::dict interface;
        interface["version"] = 3;
        interface["shape"] = nb::tuple(shape);
        interface["strides"] = nb::tuple(strides);
        interface["typestr"] = dtype() == NDK_BFLOAT16 ? nb::str("=u2") : nb::str(numpy_dtype(dtype()).attr("str"));
        interface["data"] = nb::make_tuple(reinterpret_cast<std::uintptr_t>(view.data), argument_.read_only());
        return interface;
    }

private:
    Argument argument_;
};

ndk_dtype read_dtype(nb::handle given) {
    for (int number = NDK_FLOAT32; number <= last_dtype; ++number) {
        const auto dtype = static_cast<ndk_dtype>(number);
        if (nb::isinstance<nb::str>(given) ? nb::cast<std::string>(given) == name_of(dtype)
                                           : dtype != NDK_BFLOAT16 && given.is(numpy_dtype(dtype))) {
            return dtype;
        }
    }
    if (nb::cast<std::string>(nb::str(given)) == "bfloat16") {
        return NDK_BFLOAT16;
    }
    throw nb::type_error("a dtype that no kernel has");
}

Shape read_shape(nb::tuple extents) {
    if (extents.size() > NDK_MAX_NDIM) {
        raise_value("the result would have " + std::to_string(extents.size()) + " dimensions; at most " +
                    std::to_string(NDK_MAX_NDIM) + " are possible. Pass an array of fewer.");
    }
    Shape shape;
    for (const nb::handle extent : extents) {
        shape.append(nb::cast<std::int64_t>(extent));
    }
    return shape;
}

} // namespace

const ndk_operator &find_operator(const ndk_table &table, const char *name) {
    const ndk_operator *end = table.operators + table.operator_count;
    const ndk_operator *found =
        std::lower_bound(table.operators, end, name, [](const ndk_operator &each, const char *wanted) {
            return std::strcmp(each.name, wanted) < 0;
        });
    if (found == end || std::strcmp(found->name, name) != 0) {
        throw nb::key_error(name);
    }
    return *found;
}

void define_borrowed(nb::module_ &module) {
    nb::class_<Borrowed>(module, "Borrowed").def_prop_ro("__array_interface__", &Borrowed::array_interface);
}

nb::object array(nb::handle object, const char *name, Dtypes accepted) {
    prepare();
    if (is_plain_array(object)) {
        const Argument checked(object, name, accepted);
        return nb::borrow(object);
    }
    auto borrowed = std::make_unique<Borrowed>(object, name, accepted);
    const ndk_dtype dtype = borrowed->dtype();
    const nb::object keeper = nb::cast(borrowed.release(), nb::rv_policy::take_ownership);
    const nb::object result = nb::module_::import_("numpy").attr("asarray")(keeper);
    return dtype == NDK_BFLOAT16 ? result.attr("view")(numpy_dtype(dtype)) : result;
}

nb::object call(const char *name, nb::tuple inputs, nb::tuple outputs, const std::vector<std::int64_t> &integers,
                const std::vector<double> &numbers) {
    return call_packed(name, inputs, outputs, integers, numbers, nullptr);
}

nb::object call_packed(const char *name, nb::tuple inputs, nb::tuple outputs, const std::vector<std::int64_t> &integers,
                       const std::vector<double> &numbers, const Packed *packed) {
    prepare();
    const ndk_operator &found = find_operator(table(), name);
    if (inputs.size() > most_tensors || outputs.size() > most_tensors) {
        throw nb::value_error("too many tensors");
    }
    std::optional<Argument> arguments[most_tensors];
    ndk_tensor tensors[2 * most_tensors];
    const ndk_tensor *in[most_tensors] = {};
    const ndk_tensor *out[most_tensors] = {};
    const View *views[most_tensors];
    std::size_t view_count = 0;
    std::int64_t elements = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const nb::handle input = inputs[i];
        if (input.is_none()) {
            continue;
        }
        arguments[i].emplace(input, "input", all_dtypes);
        const View &view = arguments[i]->view();
        views[view_count++] = &view;
        tensors[i] = view.tensor();
        in[i] = &tensors[i];
        elements += view.shape.size();
    }
    std::optional<Result> results[most_tensors];
    View targets[most_tensors];
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const auto [extents, dtype, given] = nb::cast<std::tuple<nb::tuple, nb::object, nb::object>>(outputs[i]);
        results[i].emplace(given, read_dtype(dtype), read_shape(extents));
        for (std::size_t other = 0; other < i; ++other) {
            if (may_overlap(results[other]->view(), results[i]->view())) {
                raise_value("out: two of the arrays share memory. Pass arrays that do not, or leave out= away.");
            }
        }
        targets[i] = results[i]->target(views, view_count, false);
        tensors[most_tensors + i] = targets[i].tensor();
        out[i] = &tensors[most_tensors + i];
        elements += targets[i].shape.size();
    }
    const ndk_call arguments_of_call = {&host(),
                                        in,
                                        out,
                                        integers.data(),
                                        numbers.data(),
                                        static_cast<std::int32_t>(inputs.size()),
                                        static_cast<std::int32_t>(outputs.size()),
                                        static_cast<std::int32_t>(integers.size()),
                                        static_cast<std::int32_t>(numbers.size()),
                                        packed == nullptr ? nullptr : &packed->get()};
    ndk_status status = NDK_OK;
    {
        const Unlocked unlocked(elements >= elements_worth_unlocking);
        const ndk_helper_operator *helper = choose(name, arguments_of_call);
        status = helper != nullptr ? run_helper(*helper, arguments_of_call) : found.run(&arguments_of_call);
        for (std::size_t i = 0; i < outputs.size() && status == NDK_OK; ++i) {
            status = results[i]->copy(targets[i]);
        }
    }
    check(status, name);
    if (outputs.size() == 1) {
        return results[0]->take();
    }
    nb::list taken;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        taken.append(results[i]->take());
    }
    return nb::tuple(taken);
}

nb::list operators() {
    nb::list names;
    for (std::int32_t i = 0; i < table().operator_count; ++i) {
        names.append(table().operators[i].name);
    }
    return names;
}

} // namespace ndkernels
