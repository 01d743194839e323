// SPDX-License-Identifier: Apache-2.0
#include "packed.hpp"

#include <nanobind/stl/vector.h>

#include <atomic>
#include <optional>

#include "arguments.hpp"
#include "helpers.hpp"
#include "host.hpp"
#include "kernel_call.hpp"
#include "operators.hpp"
#include "result.hpp"

namespace ndkernels {
namespace {

std::atomic<std::uint64_t> last_id{0};

constexpr std::size_t most_inputs = 16;

} // namespace

Packed::Packed(const char *name, nb::tuple inputs, const std::vector<std::int64_t> &integers) {
    prepare();
    const ndk_operator &found = find_operator(table(), name);
    if (inputs.size() > most_inputs) {
        throw nb::value_error("too many tensors");
    }
    std::optional<Argument> arguments[most_inputs];
    ndk_tensor tensors[most_inputs];
    const ndk_tensor *in[most_inputs] = {};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const nb::handle input = inputs[i];
        if (!input.is_none()) {
            arguments[i].emplace(input, "input", all_dtypes);
            tensors[i] = arguments[i]->view().tensor();
            in[i] = &tensors[i];
        }
    }
    const ndk_device cpu = {NDK_CPU, 0};
    const std::int64_t stride = 1;
    const ndk_tensor size = {&packed_.size, nullptr, nullptr, 0, NDK_INT64, cpu};
    const ndk_tensor *out = &size;
    const ndk_call call = {&host(), in,
                           &out,    integers.data(),
                           nullptr, static_cast<std::int32_t>(inputs.size()),
                           1,       static_cast<std::int32_t>(integers.size()),
                           0,       nullptr};
    check(found.run(&call), name);
    packed_.id = last_id.fetch_add(1, std::memory_order_relaxed) + 1;
    if (packed_.size == 0) {
        return;
    }
    void *memory = host().allocate(host().context, static_cast<std::size_t>(packed_.size), 64);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    const ndk_tensor bytes = {memory, &packed_.size, &stride, 1, NDK_INT8, cpu};
    out = &bytes;
    ndk_status status = NDK_OK;
    {
        const Unlocked unlocked(packed_.size >= elements_worth_unlocking);
        status = found.run(&call);
    }
    if (status != NDK_OK) {
        host().release(host().context, memory);
        check(status, name);
    }
    packed_.data = memory;
}

Packed::~Packed() {
    forget_weights(packed_.id);
    if (packed_.data != nullptr) {
        host().release(host().context, const_cast<void *>(packed_.data));
    }
}

void define_packed(nb::module_ &module) {
    nb::class_<Packed>(module, "Packed", "What the kernel library made of weights, for many calls.")
        .def(nb::init<const char *, nb::tuple, const std::vector<std::int64_t> &>(), nb::arg("name"), nb::arg("inputs"),
             nb::arg("integers"))
        .def_prop_ro("nbytes", &Packed::size)
        .def_prop_ro("id", [](const Packed &self) { return self.get().id; });
}

} // namespace ndkernels
