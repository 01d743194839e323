// SPDX-License-Identifier: Apache-2.0
//
// Matrix products by an installed BLAS, as a helper.
#pragma once

#include <string>

namespace ndkernels {

// Opens the library `name` ("openblas": that of scipy-openblas64, "mkl": libmkl_rt) at an absolute path and registers
// it; the second time it does nothing. Throws LibraryError, and std::out_of_range for another name. It stays loaded,
// because its threads live in it.
void open_blas(const std::string &name, const std::string &path, const std::string &version);

} // namespace ndkernels
