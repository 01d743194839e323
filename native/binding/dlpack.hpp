// SPDX-License-Identifier: Apache-2.0
//
// The part of DLPack's C structures that a consumer on the CPU reads.
// Source: https://dmlc.github.io/dlpack/latest/c_api.html (DLPack 1.x, and the unversioned form before it).
#pragma once

#include <cstdint>

namespace ndkernels::dlpack {

constexpr std::int32_t cpu = 1;             // kDLCPU
constexpr std::uint8_t integer = 0;         // kDLInt
constexpr std::uint8_t floating_point = 2;  // kDLFloat
constexpr std::uint8_t brain_float = 4;     // kDLBfloat
constexpr std::uint8_t boolean = 6;         // kDLBool
constexpr std::uint64_t read_only_flag = 1; // DLPACK_FLAG_BITMASK_READ_ONLY
constexpr std::uint32_t major_version = 1;
constexpr const char *capsule_name = "dltensor";
constexpr const char *versioned_capsule_name = "dltensor_versioned";

struct Device {
    std::int32_t type;
    std::int32_t id;
};

struct DataType {
    std::uint8_t code;
    std::uint8_t bits;
    std::uint16_t lanes;
};

struct Tensor {
    void *data;
    Device device;
    std::int32_t ndim;
    DataType dtype;
    const std::int64_t *shape;
    const std::int64_t *strides; // in elements; NULL when C-contiguous
    std::uint64_t byte_offset;
};

struct Managed {
    Tensor tensor;
    void *context;
    void (*deleter)(Managed *);
};

struct ManagedVersioned {
    std::uint32_t major;
    std::uint32_t minor;
    void *context;
    void (*deleter)(ManagedVersioned *);
    std::uint64_t flags;
    Tensor tensor;
};

} // namespace ndkernels::dlpack
