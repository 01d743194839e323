// SPDX-License-Identifier: Apache-2.0
#include "shared_library.hpp"

#include <dlfcn.h>

#include "elf_check.hpp"

namespace ndkernels {

void *open_shared(const std::string &path) {
    if (path.empty() || path.front() != '/') {
        throw LibraryError(path + ": is not an absolute path"); // dlopen would search for it
    }
    check_elf(path);
    void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        const char *text = dlerror();
        throw LibraryError(text != nullptr ? text : path + ": the dynamic linker gave no reason");
    }
    return handle;
}

void *find_symbol(void *library, const char *name) { return dlsym(library, name); }

} // namespace ndkernels
