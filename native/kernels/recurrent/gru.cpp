// SPDX-License-Identifier: Apache-2.0
//
// gru, gru_backward, gru_pack: recurrent/operators.hpp says what their tensors are.
#include "recurrent/operators.hpp"

namespace ndk {

ndk_status operators::gru(const ndk_call *call) { return recurrent::forward<recurrent::Gru>(call); }

ndk_status operators::gru_backward(const ndk_call *call) { return recurrent::backward<recurrent::Gru>(call); }

ndk_status operators::gru_pack(const ndk_call *call) { return recurrent::pack<recurrent::Gru>(call); }

} // namespace ndk
