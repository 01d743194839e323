// SPDX-License-Identifier: Apache-2.0
//
// lstm, lstm_backward, lstm_pack: recurrent/operators.hpp says what their tensors are.
#include "recurrent/operators.hpp"

namespace ndk {

ndk_status operators::lstm(const ndk_call *call) { return recurrent::forward<recurrent::Lstm>(call); }

ndk_status operators::lstm_backward(const ndk_call *call) { return recurrent::backward<recurrent::Lstm>(call); }

ndk_status operators::lstm_pack(const ndk_call *call) { return recurrent::pack<recurrent::Lstm>(call); }

} // namespace ndk
