// SPDX-License-Identifier: Apache-2.0
#include "cpuid.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#define NDKERNELS_HAS_CPUID 1
#endif

namespace ndkernels {

#ifdef NDKERNELS_HAS_CPUID
namespace {

constexpr std::uint32_t osxsave_bit = 1U << 27;    // leaf 1, ecx
constexpr std::uint32_t hypervisor_bit = 1U << 31; // leaf 1, ecx
constexpr std::uint32_t hypervisor_base = 0x40000000U;
constexpr std::uint32_t extended_base = 0x80000000U;

class Reader {
public:
    explicit Reader(CpuidReading &reading) : reading_(reading) {}

    // A leaf above the largest one answers with the data of another leaf on Intel, so it must never be asked.
    void up_to(std::uint32_t largest) { largest_ = largest; }

    CpuidRegisters get(std::uint32_t leaf, std::uint32_t subleaf = 0) {
        CpuidRegisters r{};
        if (leaf > largest_) {
            return r;
        }
        __cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]);
        reading_.leaves[{leaf, subleaf}] = r;
        return r;
    }

private:
    CpuidReading &reading_;
    std::uint32_t largest_ = 0;
};

// As inline assembly: the intrinsic would need -mxsave, and this file is compiled for the plain baseline.
std::uint64_t xgetbv0() {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<std::uint64_t>(high) << 32U) | low;
}

} // namespace

CpuidReading read_cpuid() {
    CpuidReading reading;
    Reader reader(reading);
    if (__get_cpuid_max(0, nullptr) == 0) {
        return reading;
    }
    reader.up_to(reader.get(0)[0]);
    const std::uint32_t ecx1 = reader.get(1)[2];
    if (reader.get(7)[0] >= 1) {
        reader.get(7, 1);
    }
    reader.get(0xd);
    reader.get(0xd, 1);

    if ((ecx1 & hypervisor_bit) != 0) {
        reader.up_to(hypervisor_base);
        reader.get(hypervisor_base);
    }

    reader.up_to(extended_base);
    const std::uint32_t largest_extended = reader.get(extended_base)[0];
    if (largest_extended >= extended_base && largest_extended <= extended_base + 0xffffU) {
        reader.up_to(largest_extended);
        for (const std::uint32_t offset : {1U, 2U, 3U, 4U, 7U, 8U}) {
            reader.get(extended_base + offset);
        }
    }

    // XGETBV itself faults where the operating system has not set OSXSAVE (numpy#15342).
    if ((ecx1 & osxsave_bit) != 0) {
        reading.xcr0 = xgetbv0();
    }
    return reading;
}

#else

CpuidReading read_cpuid() { return {}; }

#endif

} // namespace ndkernels
