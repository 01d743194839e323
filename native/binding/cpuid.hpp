// SPDX-License-Identifier: Apache-2.0
//
// The raw CPUID reading of this process. It only reads: what the bits mean is decided in Python, where a recorded
// machine can be put in its place.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace ndkernels {

// (leaf, subleaf) and what is found there: eax, ebx, ecx, edx.
using CpuidKey = std::pair<std::uint32_t, std::uint32_t>;
using CpuidRegisters = std::array<std::uint32_t, 4>;

struct CpuidReading {
    std::map<CpuidKey, CpuidRegisters> leaves; // empty where the processor has no CPUID instruction
    std::optional<std::uint64_t> xcr0;         // empty where the operating system has not enabled XGETBV
};

CpuidReading read_cpuid();

} // namespace ndkernels
