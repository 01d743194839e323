// SPDX-License-Identifier: Apache-2.0
//
// What every operator asks of its call before it looks at shapes.
#ifndef NDK_CALL_HPP
#define NDK_CALL_HPP

#include "views.hpp"

namespace ndk {

// Whether `call` has as many of everything as the operator takes, and tensors that keep the contract of ndkernels.h.
// The last `optional` inputs may be missing. Dtypes are the operator's own business.
inline ndk_status check_call(const ndk_call *call, std::int32_t inputs, std::int32_t optional, std::int32_t outputs,
                             std::int32_t integers, std::int32_t numbers) {
    if (call->input_count != inputs || call->output_count != outputs || call->integer_count != integers ||
        call->number_count != numbers) {
        return NDK_INVALID_ARGUMENT;
    }
    for (std::int32_t i = 0; i < inputs + outputs; ++i) {
        const ndk_tensor *tensor = i < inputs ? call->inputs[i] : call->outputs[i - inputs];
        if (tensor == nullptr) {
            if (i < inputs - optional || i >= inputs) {
                return NDK_INVALID_ARGUMENT;
            }
            continue;
        }
        if (const ndk_status status = check_tensor(tensor, tensor->dtype); status != NDK_OK) {
            return status;
        }
    }
    return NDK_OK;
}

namespace operators {
#define NDK_OPERATOR(name) ndk_status name(const ndk_call *call);
#include "operators.def"
#undef NDK_OPERATOR
} // namespace operators

} // namespace ndk
#endif // NDK_CALL_HPP
