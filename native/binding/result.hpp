// SPDX-License-Identifier: Apache-2.0
//
// Where a result goes: a new NumPy array, or the caller's `out`.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <utility>

#include "arguments.hpp"
#include "layout.hpp"

namespace ndkernels {

// What must be there before the first computation: NumPy, and the settings from the environment. Importing this module
// does neither. Throws ImportError, or what a warnings filter makes of the RuntimeWarning for a bad value.
void prepare();

// The number of threads, read from the environment where nobody has set one.
std::int32_t configured_thread_count();

class Result {
public:
    // A new array where `out` is None. Throws TypeError and ValueError for an `out` that does not fit.
    Result(nb::handle out, ndk_dtype dtype, const Shape &shape);

    // Where a computation on `inputs` may write: the array itself, or new memory where it shares memory with an input
    // in another way than the computation allows (`in_place`: being the very same view).
    View target(std::initializer_list<const View *> inputs, bool in_place) {
        return target(inputs.begin(), inputs.size(), in_place);
    }
    View target(const View *const *inputs, std::size_t count, bool in_place);

    // The array; takes it out of this object.
    nb::object take() { return std::move(object_); }

    // Brings what was written to `target` to the array, where it is not there already. Needs no lock.
    ndk_status copy(const View &target) const;

    const View &view() const { return argument_->view(); }

    ~Result();
    Result(const Result &) = delete;
    Result &operator=(const Result &) = delete;

private:
    nb::object object_;
    std::optional<Argument> argument_;
    bool fresh_;
    void *temporary_ = nullptr;
};

} // namespace ndkernels
