// SPDX-License-Identifier: Apache-2.0
#include "library.hpp"

#include <dlfcn.h>

#include <atomic>
#include <cstdint>

#include "elf_check.hpp"
#include "host.hpp"

namespace ndkernels {
namespace {

std::atomic<const ndk_table *> in_use{nullptr};

std::string abi_text(int major, int minor) { return std::to_string(major) + "." + std::to_string(minor); }

std::string last_dl_error() {
    const char *text = dlerror();
    return text != nullptr ? text : "the dynamic linker gave no reason";
}

[[noreturn]] void refuse_abi(const std::string &path, const std::string &found) {
    throw LibraryError(path + ": speaks kernel ABI " + found + ", and this version of the package needs " +
                       abi_text(NDK_ABI_MAJOR, NDK_ABI_MINOR) + ". Install both from the same release.");
}

} // namespace

Library open_library(const std::string &path) {
    if (path.empty() || path.front() != '/') {
        // dlopen would look a bare name up in its search path, and a relative one in the current directory.
        throw LibraryError(path + ": is not an absolute path. Pass os.path.abspath(path).");
    }
    check_elf(path);
    // RTLD_LOCAL: two kernel libraries have the same symbol names.
    void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        throw LibraryError(last_dl_error());
    }
    // From here on it is never closed, not even when it is refused: its code may have been run.
    const auto open = reinterpret_cast<ndk_open_function>(dlsym(handle, NDK_OPEN_SYMBOL));
    if (open == nullptr) {
        throw LibraryError(path + ": is not a kernel library, it has no symbol " NDK_OPEN_SYMBOL ".");
    }
    const ndk_table *table = nullptr;
    const ndk_status status = open(NDK_ABI_MAJOR, &host(), &table);
    if (status == NDK_ABI_MISMATCH) {
        // The versions lie at the same place in every table, so a library may still hand it out to be named.
        refuse_abi(path, table != nullptr ? abi_text(table->abi_major, table->abi_minor) : "of another major version");
    }
    if (status != NDK_OK || table == nullptr) {
        throw LibraryError(path + ": refused to open with status " + std::to_string(status) + ".");
    }
    if (table->abi_major != NDK_ABI_MAJOR || table->struct_size < sizeof(ndk_table)) {
        refuse_abi(path, abi_text(table->abi_major, table->abi_minor));
    }
    return {path, table->classifier, table->version, {table->abi_major, table->abi_minor}, table};
}

const ndk_table *table_in_use() noexcept { return in_use.load(std::memory_order_acquire); }

void use_library(const Library &library) noexcept { in_use.store(library.table, std::memory_order_release); }

} // namespace ndkernels
