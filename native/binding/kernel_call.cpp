// SPDX-License-Identifier: Apache-2.0
#include "kernel_call.hpp"

#include <new>
#include <stdexcept>
#include <string>

#include "explaining.hpp"
#include "helpers.hpp"
#include "library.hpp"

namespace ndkernels {

const ndk_table &table() {
    const ndk_table *in_use = table_in_use();
    if (in_use == nullptr) {
        throw std::runtime_error("no kernel library is in use. Call use(open_library(path)) first.");
    }
    return reasons_to_ask.load(std::memory_order_relaxed) != 0 && explaining() ? idle_table(*in_use) : *in_use;
}

void check(ndk_status status, const char *name) {
    if (status == NDK_OUT_OF_MEMORY) {
        throw std::bad_alloc();
    }
    if (status != NDK_OK) {
        throw std::runtime_error(std::string("the kernel library '") + table().classifier +
                                 "' refused the arguments of " + name + " with status " + std::to_string(status) +
                                 ". Please report this with the shapes and strides of the arguments.");
    }
}

} // namespace ndkernels
