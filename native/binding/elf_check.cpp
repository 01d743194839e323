// SPDX-License-Identifier: Apache-2.0
#include "elf_check.hpp"

#if defined(__ELF__)
#include <elf.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

#include "library.hpp"

namespace ndkernels {
namespace {

#if defined(__LP64__)
using Header = Elf64_Ehdr;
using Segment = Elf64_Phdr;
constexpr unsigned char own_class = ELFCLASS64;
#else
using Header = Elf32_Ehdr;
using Segment = Elf32_Phdr;
constexpr unsigned char own_class = ELFCLASS32;
#endif

#if defined(__x86_64__)
constexpr unsigned own_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned own_machine = EM_AARCH64;
#else
constexpr unsigned own_machine = EM_NONE; // not checked
#endif

std::string machine_name(unsigned machine) {
    switch (machine) {
    case EM_X86_64:
        return "x86-64";
    case EM_AARCH64:
        return "aarch64";
    case EM_386:
        return "i386";
    case EM_ARM:
        return "arm";
    case EM_PPC64:
        return "ppc64";
    case EM_S390:
        return "s390x";
    case EM_RISCV:
        return "riscv";
    default:
        return "ELF machine " + std::to_string(machine);
    }
}

[[noreturn]] void refuse_truncated(const std::string &path) {
    throw LibraryError(path + ": the file is truncated. Install its package again.");
}

} // namespace

void check_elf(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    Header header{};
    file.seekg(0, std::ios::end);
    const auto size = static_cast<std::uint64_t>(file.tellg());
    file.seekg(0);
    if (!file.read(reinterpret_cast<char *>(header.e_ident), EI_NIDENT) ||
        std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != own_class) {
        return;
    }
    file.seekg(0);
    if (!file.read(reinterpret_cast<char *>(&header), sizeof(header))) {
        refuse_truncated(path);
    }
    if (own_machine != EM_NONE && header.e_machine != own_machine) {
        throw LibraryError(path + ": is built for " + machine_name(header.e_machine) + ", and this process is " +
                           machine_name(own_machine) + ". Install the wheel for this machine.");
    }
    const std::uint64_t sections = std::uint64_t{header.e_shnum} * header.e_shentsize; // the last thing in most files
    if (header.e_shoff + sections > size) {
        refuse_truncated(path);
    }
    if (header.e_phentsize != sizeof(Segment)) {
        return;
    }
    std::vector<Segment> segments(header.e_phnum);
    file.seekg(static_cast<std::streamoff>(header.e_phoff));
    const auto bytes = static_cast<std::streamsize>(segments.size() * sizeof(Segment));
    if (!file.read(reinterpret_cast<char *>(segments.data()), bytes)) {
        refuse_truncated(path);
    }
    for (const Segment &segment : segments) {
        const std::uint64_t end = segment.p_offset + segment.p_filesz;
        if (segment.p_type == PT_LOAD && end > size) {
            refuse_truncated(path);
        }
    }
}

} // namespace ndkernels

#else

namespace ndkernels {

void check_elf(const std::string & /*path*/) {}

} // namespace ndkernels

#endif
