// SPDX-License-Identifier: Apache-2.0
#include "elementwise/unary_rows.hpp"

namespace ndk {

template UnaryRow unary_row<float>(ndk_unary_op op);

} // namespace ndk
