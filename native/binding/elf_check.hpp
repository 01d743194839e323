// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ndkernels {

// Throws LibraryError for a file that glibc would answer badly: a shared object whose end is missing kills the process
// with SIGBUS inside dlopen, and one for another machine is said to be "No such file or directory". Does nothing for
// whatever else dlopen reports well by itself, and on systems whose libraries are not ELF.
void check_elf(const std::string &path);

} // namespace ndkernels
