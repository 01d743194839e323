// SPDX-License-Identifier: Apache-2.0
//
// Libraries of somebody else, which are opened by their absolute path.
#pragma once

#include <string>

#include "library.hpp"

namespace ndkernels {

// Never to be closed: its code has been run. Throws LibraryError.
void *open_shared(const std::string &path);

// NULL where there is none; also looks in the libraries that it was linked with.
void *find_symbol(void *library, const char *name);

} // namespace ndkernels
