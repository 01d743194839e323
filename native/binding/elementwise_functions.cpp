// SPDX-License-Identifier: Apache-2.0
//
// How Python calls the functions of single elements: one function of the C API for each.
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "elementwise.hpp"
#include "result.hpp"

namespace ndkernels {
namespace {

enum class Kind { unary, binary, gelu, clip, where };

struct Option {
    const char *name = nullptr;
    double fallback = 0;
};

struct Function {
    const char *name;
    Kind kind;
    int op;
    Dtypes accepted = floats;
    Option options[2] = {};
};

constexpr Dtypes activation = floats | one_dtype(NDK_FLOAT16) | one_dtype(NDK_BFLOAT16);

constexpr Function functions[] = {
    {"abs", Kind::unary, NDK_ABS},
    {"add", Kind::binary, NDK_ADD},
    {"clip", Kind::clip, NDK_CLIP},
    {"cos", Kind::unary, NDK_COS},
    {"divide", Kind::binary, NDK_DIVIDE},
    {"elu", Kind::unary, NDK_ELU, activation, {{"alpha", 1.0}}},
    {"equal", Kind::binary, NDK_EQUAL},
    {"erf", Kind::unary, NDK_ERF, activation},
    {"exp", Kind::unary, NDK_EXP, activation},
    {"gelu", Kind::gelu, NDK_GELU, activation},
    {"greater", Kind::binary, NDK_GREATER},
    {"greater_equal", Kind::binary, NDK_GREATER_EQUAL},
    {"leaky_relu", Kind::unary, NDK_LEAKY_RELU, activation, {{"negative_slope", 0.01}}},
    {"less", Kind::binary, NDK_LESS},
    {"less_equal", Kind::binary, NDK_LESS_EQUAL},
    {"log", Kind::unary, NDK_LOG},
    {"maximum", Kind::binary, NDK_MAXIMUM},
    {"minimum", Kind::binary, NDK_MINIMUM},
    {"multiply", Kind::binary, NDK_MULTIPLY},
    {"negative", Kind::unary, NDK_NEGATIVE},
    {"not_equal", Kind::binary, NDK_NOT_EQUAL},
    {"power", Kind::binary, NDK_POWER},
    {"relu", Kind::unary, NDK_RELU, activation},
    {"rsqrt", Kind::unary, NDK_RSQRT},
    {"sigmoid", Kind::unary, NDK_SIGMOID, activation},
    {"silu", Kind::unary, NDK_SILU, activation},
    {"sin", Kind::unary, NDK_SIN},
    {"softplus", Kind::unary, NDK_SOFTPLUS, activation, {{"beta", 1.0}, {"threshold", 20.0}}},
    {"sqrt", Kind::unary, NDK_SQRT},
    {"subtract", Kind::binary, NDK_SUBTRACT},
    {"tanh", Kind::unary, NDK_TANH, activation},
    {"where", Kind::where, 0},
};
constexpr std::size_t function_count = sizeof(functions) / sizeof(*functions);

std::string quoted(nb::handle name) { return "'" + std::string(nb::str(name).c_str()) + "'"; }

bool is_word(nb::handle name, const char *word) { return PyUnicode_CompareWithASCIIString(name.ptr(), word) == 0; }

double to_number(nb::handle value, const char *name) {
    const double number = PyFloat_AsDouble(value.ptr());
    if (number == -1.0 && PyErr_Occurred() != nullptr) {
        nb::python_error error;
        if (!error.matches(PyExc_TypeError)) {
            throw std::move(error);
        }
        raise_type(std::string(name) + ": got " + kind_of(value) + "; accepted is a number. Pass one.");
    }
    return number;
}

[[noreturn]] void refuse_keyword(const Function &function, nb::handle name) {
    raise_type(std::string(function.name) + "() got an unexpected keyword argument " + quoted(name));
}

// What PEP 590 passes: `positional` arguments, then those of the names in `keywords`, if any.
struct Arguments {
    PyObject *const *values;
    Py_ssize_t positional;
    PyObject *keywords;

    Py_ssize_t keyword_count() const { return keywords == nullptr ? 0 : PyTuple_Size(keywords); }
    nb::handle keyword(Py_ssize_t i) const { return PyTuple_GetItem(keywords, i); }
    nb::handle value(Py_ssize_t i) const { return values[positional + i]; }
};

void check_positional(const Function &function, const Arguments &given, Py_ssize_t arrays) {
    if (given.positional != arrays) {
        raise_type(std::string(function.name) + "() takes " + std::to_string(arrays) + " positional argument" +
                   (arrays == 1 ? "" : "s") + " and the rest by name, but " + std::to_string(given.positional) +
                   (given.positional == 1 ? " was" : " were") + " given by place");
    }
}

nb::object call_unary(const Function &function, const Arguments &given) {
    check_positional(function, given, 1);
    nb::handle out = nb::handle(Py_None);
    double parameters[] = {function.options[0].fallback, function.options[1].fallback};
    auto op = static_cast<ndk_unary_op>(function.op);
    for (Py_ssize_t i = 0; i < given.keyword_count(); ++i) {
        const nb::handle name = given.keyword(i);
        const nb::handle value = given.value(i);
        if (is_word(name, "out")) {
            out = value;
        } else if (function.kind == Kind::gelu && is_word(name, "approximate")) {
            if (PyUnicode_Check(value.ptr()) == 0) {
                raise_type("approximate: got " + kind_of(value) +
                           "; accepted are 'none' and 'tanh'. Pass one of these.");
            }
            const bool tanh = is_word(value, "tanh");
            if (!tanh && !is_word(value, "none")) {
                raise_value("approximate: got " + quoted(value) +
                            "; accepted are 'none' and 'tanh'. Pass one of these.");
            }
            op = tanh ? NDK_GELU_TANH : NDK_GELU;
        } else if (function.options[0].name != nullptr && is_word(name, function.options[0].name)) {
            parameters[0] = to_number(value, function.options[0].name);
        } else if (function.options[1].name != nullptr && is_word(name, function.options[1].name)) {
            parameters[1] = to_number(value, function.options[1].name);
        } else {
            refuse_keyword(function, name);
        }
    }
    return unary(op, parameters, function.accepted, given.values[0], out);
}

nb::handle only_out(const Function &function, const Arguments &given) {
    nb::handle out = nb::handle(Py_None);
    for (Py_ssize_t i = 0; i < given.keyword_count(); ++i) {
        if (!is_word(given.keyword(i), "out")) {
            refuse_keyword(function, given.keyword(i));
        }
        out = given.value(i);
    }
    return out;
}

// Python's and NumPy's numbers, and None.
bool is_bound(nb::handle value) {
    return value.is_none() || PyFloat_Check(value.ptr()) != 0 || PyLong_Check(value.ptr()) != 0 ||
           (!is_plain_array(value) && nb::hasattr(value, "__float__") && nb::hasattr(value, "dtype") &&
            nb::cast<nb::object>(nb::getattr(value, "ndim", nb::none())).equal(nb::int_(0)));
}

// The array itself, or an array without dimensions of x's dtype for a number.
nb::object bound_array(nb::handle bound, nb::handle x, const char *name) {
    if (!is_bound(bound)) {
        const Argument array(bound, name);
        return nb::borrow(bound);
    }
    const Argument of(x, "x");
    const nb::object number = nb::float_(to_number(bound, name));
    return nb::module_::import_("numpy").attr("asarray")(number, numpy_dtype(of.dtype()));
}

nb::object call_clip(const Function &function, const Arguments &given) {
    if (given.positional < 1 || given.positional > 3) {
        raise_type(std::string(function.name) + "() takes from 1 to 3 positional arguments, but " +
                   std::to_string(given.positional) + " were given");
    }
    const nb::handle x = given.values[0];
    nb::handle bounds[2] = {nb::handle(Py_None), nb::handle(Py_None)};
    nb::handle out = nb::handle(Py_None);
    constexpr const char *names[] = {"min", "max"};
    for (Py_ssize_t i = 1; i < given.positional; ++i) {
        bounds[i - 1] = given.values[i];
    }
    for (Py_ssize_t i = 0; i < given.keyword_count(); ++i) {
        const nb::handle name = given.keyword(i);
        int place = is_word(name, "min") ? 0 : is_word(name, "max") ? 1 : -1;
        if (place >= 0 && given.positional > place + 1) {
            raise_type(std::string(function.name) + "() got multiple values for argument " + quoted(name));
        }
        if (place < 0 && !is_word(name, "out")) {
            refuse_keyword(function, name);
        }
        (place < 0 ? out : bounds[place]) = given.value(i);
    }
    if (is_bound(bounds[0]) && is_bound(bounds[1])) {
        constexpr double infinity = __builtin_inf();
        const double limits[] = {bounds[0].is_none() ? -infinity : to_number(bounds[0], names[0]),
                                 bounds[1].is_none() ? infinity : to_number(bounds[1], names[1])};
        if (limits[0] == limits[0] && limits[1] == limits[1]) {
            return unary(NDK_CLIP, limits, floats, x, out);
        }
    }
    prepare();
    nb::object result = nb::borrow(x);
    for (int i = 0; i < 2; ++i) {
        if (!bounds[i].is_none()) {
            const bool last = i == 1 || bounds[1].is_none();
            const nb::object bound = bound_array(bounds[i], x, names[i]);
            result = binary(i == 0 ? NDK_MAXIMUM : NDK_MINIMUM, result, bound, last ? out : nb::handle(Py_None));
        }
    }
    return result;
}

nb::object call_function(const Function &function, const Arguments &given) {
    switch (function.kind) {
    case Kind::binary:
        check_positional(function, given, 2);
        return binary(static_cast<ndk_binary_op>(function.op), given.values[0], given.values[1],
                      only_out(function, given));
    case Kind::clip:
        return call_clip(function, given);
    case Kind::where:
        check_positional(function, given, 3);
        return where(given.values[0], given.values[1], given.values[2], only_out(function, given));
    default:
        return call_unary(function, given);
    }
}

PyObject *type_of(nb::exception_type type) {
    switch (type) {
    case nb::exception_type::value_error:
        return PyExc_ValueError;
    case nb::exception_type::type_error:
        return PyExc_TypeError;
    case nb::exception_type::key_error:
        return PyExc_KeyError;
    default:
        return PyExc_RuntimeError;
    }
}

template <std::size_t index>
PyObject *entry(PyObject * /*self*/, PyObject *const *values, Py_ssize_t count, PyObject *keywords) noexcept {
    try {
        return call_function(functions[index], {values, count, keywords}).release().ptr();
    } catch (nb::python_error &error) {
        error.restore();
    } catch (const nb::builtin_exception &error) {
        PyErr_SetString(type_of(error.type()), error.what());
    } catch (const std::bad_alloc &) {
        PyErr_NoMemory();
    } catch (const std::exception &error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
    return nullptr;
}

using Entry = PyObject *(*)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *) noexcept;

template <std::size_t... index>
Entry entry_of(std::size_t wanted, std::index_sequence<index...> /*all*/) {
    constexpr Entry entries[] = {entry<index>...};
    return entries[wanted];
}

} // namespace

nb::object elementwise_function(const char *name, const char *signature, const char *doc, nb::str module) {
    for (std::size_t i = 0; i < function_count; ++i) {
        if (std::strcmp(functions[i].name, name) != 0) {
            continue;
        }
        // As inspect.signature reads it. It lives as long as the process, as the function may.
        const auto *text = new std::string(std::string(name) + signature + "\n--\n\n" + doc);
        auto *definition = new PyMethodDef{functions[i].name,
                                           reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(
                                               entry_of(i, std::make_index_sequence<function_count>{}))),
                                           METH_FASTCALL | METH_KEYWORDS, text->c_str()};
        PyObject *function = PyCFunction_NewEx(definition, nullptr, module.ptr());
        if (function == nullptr) {
            throw nb::python_error();
        }
        return nb::steal(function);
    }
    throw nb::key_error(name);
}

} // namespace ndkernels
