// SPDX-License-Identifier: Apache-2.0
//
// Opening kernel libraries.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "ndkernels.h"

namespace ndkernels {

// Why a file could not be opened as a kernel library. Becomes an OSError.
class LibraryError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// An opened kernel library. It stays loaded until the process ends, whatever happens to this object.
struct Library {
    std::string path;
    std::string classifier;
    std::string version;
    std::pair<int, int> abi;
    const ndk_table *table;
};

// Throws LibraryError.
Library open_library(const std::string &path);

// The table that the functions of this module call; NULL before the first use_library.
const ndk_table *table_in_use() noexcept;
void use_library(const Library &library) noexcept;

} // namespace ndkernels
