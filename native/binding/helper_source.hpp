// SPDX-License-Identifier: Apache-2.0
//
// The helper that is compiled into the kernel library in use.
#pragma once

#include <string>

namespace ndkernels {

// "onednn", or empty where there is none, or no library in use.
std::string compiled_helper();

// Opens the library that it needs, once per process; from then on it can be asked for. Throws LibraryError, and
// std::out_of_range where the kernel library in use has no helper of that name.
void open_compiled_helper(const std::string &name, const std::string &path, const std::string &version);

} // namespace ndkernels
