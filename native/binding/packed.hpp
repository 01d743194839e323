// SPDX-License-Identifier: Apache-2.0
//
// Weights that are packed once for many calls.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "ndkernels.h"

namespace ndkernels {

namespace nb = nanobind;

// Owns what the kernel library made of weights, and their number. It does not change, so threads may share it.
class Packed {
public:
    // Calls the operator `name`. Throws LookupError for an unknown one, and MemoryError.
    Packed(const char *name, nb::tuple inputs, const std::vector<std::int64_t> &integers);
    ~Packed();
    Packed(const Packed &) = delete;
    Packed &operator=(const Packed &) = delete;

    const ndk_packed &get() const { return packed_; }
    std::int64_t size() const { return packed_.size; }

private:
    ndk_packed packed_{};
};

// Adds the class to the module.
void define_packed(nb::module_ &module);

} // namespace ndkernels
