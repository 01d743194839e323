// SPDX-License-Identifier: Apache-2.0
#include "result.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>

#include "host.hpp"
#include "kernel_call.hpp"
#include "thread_count.hpp"
#include "thread_pool.hpp"

namespace ndkernels {
namespace {

bool numpy_is_ready = false;

} // namespace

std::int32_t configured_thread_count() {
    if (thread_count() > 0) {
        return thread_count();
    }
    const ThreadsVariable &variable = threads_variable();
    const std::int32_t count = variable.number ? *variable.number : physical_cores();
    set_thread_count(count);
    if (!variable.text.empty() && !variable.number) {
        const std::string message = "OMP_NUM_THREADS=" + variable.text + " is not a number from 1 to " +
                                    std::to_string(max_threads) + " (or a list that starts with one): using " +
                                    std::to_string(count) + " threads. Correct the variable or unset it.";
        // Level 2: the Python function that called is ours, the line of interest is its caller's.
        if (PyErr_WarnEx(PyExc_RuntimeWarning, message.c_str(), 2) != 0) {
            throw nb::python_error();
        }
    }
    return count;
}

void prepare() {
    if (!numpy_is_ready) {
        prepare_numpy(nb::module_::import_("numpy"));
        numpy_is_ready = true;
    }
    if (thread_count() == 0) {
        configured_thread_count();
    }
}

Result::Result(nb::handle out, ndk_dtype dtype, const Shape &shape) : fresh_(out.is_none()) {
    object_ = fresh_ ? new_numpy_array(dtype, shape.ndim, shape.extents) : nb::borrow(out);
    argument_.emplace(object_, "out", all_dtypes);
    if (fresh_) {
        return;
    }
    if (argument_->dtype() != dtype) {
        raise_type(std::string("out: has dtype ") + name_of(argument_->dtype()) + ", and the result has " +
                   name_of(dtype) + ". Pass an array of dtype " + name_of(dtype) + ", or leave out= away.");
    }
    if (!(argument_->shape() == shape)) {
        raise_value("out: has shape " + to_string(argument_->shape()) + ", and the result has " + to_string(shape) +
                    ". Pass an array of shape " + to_string(shape) + ", or leave out= away.");
    }
    if (argument_->read_only()) {
        raise_value("out: is read-only. Pass a writable array, or leave out= away.");
    }
    if (may_overlap_itself(argument_->view())) {
        raise_value("out: several of its elements share memory. Pass an array that was neither broadcast nor made with "
                    "overlapping strides, or leave out= away.");
    }
}

View Result::target(const View *const *inputs, std::size_t count, bool in_place) {
    const View &own = argument_->view();
    const bool conflict = !fresh_ && std::any_of(inputs, inputs + count, [&](const View *input) {
        return may_overlap(*input, own) && !(in_place && same_view(*input, own));
    });
    if (!conflict) {
        return own;
    }
    const auto bytes = static_cast<std::size_t>(own.shape.size() * item_size(own.dtype));
    temporary_ = host().allocate(host().context, bytes, 64);
    if (temporary_ == nullptr) {
        throw std::bad_alloc();
    }
    return contiguous(temporary_, own.dtype, own.shape);
}

ndk_status Result::copy(const View &target) const {
    if (temporary_ == nullptr) {
        return NDK_OK;
    }
    const ndk_tensor from = target.tensor();
    const ndk_tensor to = argument_->view().tensor();
    return table().unary(&host(), NDK_COPY, nullptr, &from, &to);
}

Result::~Result() {
    if (temporary_ != nullptr) {
        host().release(host().context, temporary_);
    }
}

} // namespace ndkernels
