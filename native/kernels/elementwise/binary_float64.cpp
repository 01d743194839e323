// SPDX-License-Identifier: Apache-2.0
#include "elementwise/binary_rows.hpp"

namespace ndk {

template BinaryRow binary_row<double>(ndk_binary_op op);

} // namespace ndk
