// SPDX-License-Identifier: Apache-2.0
//
// Convolutions with kernels of 3 x 3 and stride 1 in float32: Winograd's algorithm, which takes a quarter of the
// multiplications. winograd.cpp says how.
#ifndef NDK_CONVOLUTION_WINOGRAD_HPP
#define NDK_CONVOLUTION_WINOGRAD_HPP

#include "problem.hpp"

namespace ndk::convolution {

// Whether it can compute the problem, and is likely to be faster than a matrix product.
bool worth_winograd(const Problem<float> &problem);

// Whether it can compute problems like this one for some extents of the images.
bool may_winograd(const Problem<float> &problem);

// Elements that the transformed weights of all groups have, which depend on nothing but the weights; and those.
std::int64_t winograd_size(const Problem<float> &problem);
void transform_weights(const ndk_host *host, const Problem<float> &problem, float *to);

// `weights` are what transform_weights wrote, or null. `finite` says whether all of the result is; where it is not,
// other elements may be wrong.
ndk_status run_winograd(const ndk_host *host, const Problem<float> &problem, const float *weights, bool &finite);

} // namespace ndk::convolution
#endif // NDK_CONVOLUTION_WINOGRAD_HPP
