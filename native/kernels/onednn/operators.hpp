// SPDX-License-Identifier: Apache-2.0
//
// What oneDNN is asked for, one function for each operator. They see calls that the kernels would take, too, and answer
// false for those that oneDNN cannot do, or does worse than these because it has to copy.
#ifndef NDK_ONEDNN_OPERATORS_HPP
#define NDK_ONEDNN_OPERATORS_HPP

#include "onednn/program.hpp"

namespace ndk::onednn {

bool build_matmul(Builder &builder);
bool build_linear(Builder &builder);
bool build_convolution(Builder &builder);
bool build_convolution_input_gradient(Builder &builder);
bool build_convolution_weight_gradient(Builder &builder);
bool build_avg_pool(Builder &builder);
bool build_layer_norm(Builder &builder);
bool build_batch_norm(Builder &builder);
bool build_local_response_norm(Builder &builder);
bool build_lstm(Builder &builder);

} // namespace ndk::onednn
#endif // NDK_ONEDNN_OPERATORS_HPP
