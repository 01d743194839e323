// SPDX-License-Identifier: Apache-2.0
//
// `ndkernels._binding`: the only compiled code that is loaded before a kernel library was chosen. It is compiled for
// the plain baseline of the machine, and importing it starts nothing and imports nothing.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <tuple>

#include "blas.hpp"
#include "cpuid.hpp"
#include "elementwise.hpp"
#include "explaining.hpp"
#include "functions.hpp"
#include "helper_source.hpp"
#include "helpers.hpp"
#include "host.hpp"
#include "library.hpp"
#include "operators.hpp"
#include "packed.hpp"
#include "reductions.hpp"
#include "result.hpp"
#include "thread_count.hpp"
#include "thread_pool.hpp"

namespace ndkernels {
namespace {

// What is kept between calls, NumPy's functions among it, belongs to the interpreter that made it: used by another one
// after that has ended, it is an AttributeError at best. NumPy itself can be loaded in one interpreter only, too.
void belong_to_one_interpreter() {
    static std::atomic<std::int64_t> owner{-1};
    const std::int64_t here = PyInterpreterState_GetID(PyInterpreterState_Get());
    std::int64_t first = -1;
    if (!owner.compare_exchange_strong(first, here) && first != here) {
        throw nb::import_error("another interpreter of this process has loaded it, and it cannot be loaded in two");
    }
}

nb::tuple cpuid() {
    const CpuidReading reading = read_cpuid();
    nb::dict leaves;
    for (const auto &[key, r] : reading.leaves) {
        leaves[nb::make_tuple(key.first, key.second)] = nb::make_tuple(r[0], r[1], r[2], r[3]);
    }
    return nb::make_tuple(leaves, reading.xcr0 ? nb::cast(*reading.xcr0) : nb::none());
}

nb::dict dtype_bits() {
    nb::dict bits;
    for (int number = NDK_FLOAT32; number <= last_dtype; ++number) {
        bits[name_of(static_cast<ndk_dtype>(number))] = one_dtype(static_cast<ndk_dtype>(number));
    }
    return bits;
}

void set_num_threads(nb::handle count) {
    if (PyIndex_Check(count.ptr()) == 0) {
        raise_type("count: got " + kind_of(count) + "; accepted is an integer. Pass one.");
    }
    const Py_ssize_t number = to_index(count); // a huge number is clipped, and out of range
    if (number < 1 || number > max_threads) {
        raise_value("count: " + std::to_string(number) + " is out of range; accepted are 1 to " +
                    std::to_string(max_threads) + ". Pass a number in that range.");
    }
    set_thread_count(static_cast<std::int32_t>(number));
}

void set_names_in_force(const std::vector<std::string> &names, const std::string &origin) {
    set_helpers({names, origin});
}

nb::tuple names_in_force() {
    const HelpersInForce &now = helpers_in_force();
    return nb::make_tuple(now.names, now.origin);
}

using RuleTuple = std::tuple<std::string, std::string, std::uint32_t, std::int64_t, std::int64_t, std::string>;

void set_helper_rules(const std::vector<RuleTuple> &tuples) {
    std::vector<HelperRule> rules;
    for (const auto &[operation, helper, dtypes, min_work, max_work, measurement] : tuples) {
        rules.push_back({operation, helper, dtypes, min_work, max_work, measurement});
    }
    set_rules(rules);
}

nb::dict counters_of_helpers() {
    nb::dict result;
    for (const HelperCounters &each : helper_counters()) {
        result[each.name.c_str()] = nb::make_tuple(each.hits, each.misses, each.evictions, each.entries);
    }
    return result;
}

nb::list explain(nb::callable function) {
    const Explaining explaining;
    function();
    nb::list choices;
    for (const Choice &each : explaining.choices()) {
        choices.append(nb::make_tuple(each.operation, each.helper, each.version, each.why, each.mode, each.origin,
                                      each.measurement));
    }
    return choices;
}

} // namespace
} // namespace ndkernels

NB_MODULE(_binding, m) {
    using namespace ndkernels;
    belong_to_one_interpreter();
    register_fork_handler();
    read_threads_variable();
    read_wait_policy();
    nb::set_leak_warnings(false); // they are for the authors of a module, and would come at the end of a user's program
    nb::register_exception_translator([](const std::exception_ptr &pointer, void *) {
        try {
            std::rethrow_exception(pointer);
        } catch (const LibraryError &error) {
            PyErr_SetString(PyExc_OSError, error.what());
        }
    });

    m.attr("ABI") = nb::make_tuple(NDK_ABI_MAJOR, NDK_ABI_MINOR);
    m.def("cpuid", &cpuid, "CPUID leaves as {(leaf, subleaf): (eax, ebx, ecx, edx)}, and XCR0 or None.");

    nb::class_<Library>(m, "Library", "An opened kernel library; it stays loaded until the process ends.")
        .def_ro("path", &Library::path)
        .def_ro("classifier", &Library::classifier)
        .def_ro("version", &Library::version)
        .def_ro("abi", &Library::abi)
        .def("__repr__", [](const Library &self) {
            return "<kernel library " + self.classifier + " " + self.version + " at " + self.path + ">";
        });
    m.def("open_library", &open_library, nb::arg("path"), "Open a kernel library; raises OSError with the reason.");
    m.def("use", &use_library, nb::arg("library"), "Make all functions of this module call this library.");

    m.def("set_features", &set_features, nb::arg("features"), "Say which CPU features there are, sorted.");

    define_borrowed(m);
    m.attr("FLOATS") = floats;
    m.attr("DTYPES") = dtype_bits();
    m.def("array", &array, nb::arg().none(), nb::arg(), nb::arg() = floats,
          "The memory of an object as a NumPy array; the second argument names it in messages.");
    m.def("call", &call, "Call an operator: (name, inputs, ((shape, dtype, out), ...), integers, numbers).");
    define_packed(m);
    m.def("call_packed", &call_packed, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(),
          "The same with weights that were packed, or None.");
    m.def("operators", &operators, "The names of the operators of the library in use.");

    m.def("get_num_threads", &configured_thread_count);
    m.def("set_num_threads", &set_num_threads, nb::arg("count").none());

    m.def("open_blas", &open_blas, nb::arg("name"), nb::arg("path"), nb::arg("version"),
          "Open a BLAS, which can be a helper from then on; raises OSError with the reason.");
    m.def("compiled_helper", &compiled_helper, "The helper that is compiled into the library in use, or ''.");
    m.def("open_compiled_helper", &open_compiled_helper, nb::arg("name"), nb::arg("path"), nb::arg("version"),
          "Open what it needs, so that it can be asked for; raises OSError with the reason.");
    m.def("helper_counters", &counters_of_helpers,
          "{helper: (hits, misses, evictions, entries)} of those that keep something between calls.");
    m.def("set_rules", &set_helper_rules, nb::arg("rules"),
          "What 'auto' means: [(operation, helper, bits of dtypes, least work, most work or 0, measurement), ...].");
    m.def("set_helpers", &set_names_in_force, nb::arg("names"), nb::arg("origin"),
          "Put helpers in force for the whole process, in the order in which they are asked; or 'off' or 'auto'.");
    m.def("get_helpers", &names_in_force, "What is in force, and who wanted it.");
    m.def("explain", &explain, nb::arg("function"),
          "Call a function while calls compute nothing: [(operation, helper or '', its version, why not others, the "
          "first of "
          "what was in force, who wanted it, and the measurement of its rule), ...].");

    m.def("elementwise", &elementwise_function, nb::arg("name"), nb::arg("signature"), nb::arg("doc"),
          nb::arg("module"), "A new function of single elements, which calls the library in use.");
    // Positional only: the Python functions of the package, which have the documentation, call these. None is let
    // through everywhere: it is our own messages that name the argument.
    const auto any = nb::arg().none();
    define_reductions(m);
    m.def("matmul", &matmul, any, any, any);
    m.def("matmul_packed", &matmul_packed, any, any, any, any);
}
