// SPDX-License-Identifier: Apache-2.0
//
// exp of a vector, under the name by which other families include it.
#ifndef NDK_EXP_HPP
#define NDK_EXP_HPP

#include "math/exp.hpp"

#endif // NDK_EXP_HPP
