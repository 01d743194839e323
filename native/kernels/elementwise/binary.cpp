// SPDX-License-Identifier: Apache-2.0
//
// Binary functions of each element. Scratch memory: blocks of some kilobytes on the stack of each thread.
#include "elementwise/rows.hpp"
#include "elementwise/strided.hpp"
#include "elementwise/visit.hpp"
#include "kernels.hpp"

namespace ndk {
namespace {

void map_strided(const BinaryRow &op, const Strided &out, const Strided &x1, const Strided &x2, std::int64_t count,
                 bool stream) {
    const bool constant1 = x1.stride == 0;
    const bool constant2 = x2.stride == 0;
    const bool direct1 = constant1 || x1.consecutive();
    const bool direct2 = constant2 || x2.consecutive();
    if (direct1 && direct2 && out.consecutive()) {
        op.run(x1.data, constant1, x2.data, constant2, out.data, count, stream);
        return;
    }
    Block blocks[3];
    for (std::int64_t begin = 0; begin < count; begin += kBlock) {
        const std::int64_t part = count - begin < kBlock ? count - begin : kBlock;
        const void *first = constant1 ? x1.data : x1.take(begin, part, blocks[0]);
        const void *second = constant2 ? x2.data : x2.take(begin, part, blocks[1]);
        op.run(first, constant1, second, constant2, out.target(begin, blocks[2]), part, false);
        out.give(begin, part, blocks[2]);
    }
}

} // namespace

ndk_status binary(const ndk_host *host, ndk_binary_op op, const ndk_tensor *x1, const ndk_tensor *x2,
                  const ndk_tensor *out) {
    const std::int32_t dtype = x1->dtype;
    const BinaryRow row = dtype == NDK_FLOAT64 ? binary_row<double>(op) : binary_row<float>(op);
    if (row.run == nullptr) {
        return NDK_INVALID_ARGUMENT;
    }
    const std::int32_t result = row.compares ? static_cast<std::int32_t>(NDK_BOOL) : dtype;
    const ndk_tensor *const tensors[] = {out, x1, x2};
    for (int i = 0; i < 3; ++i) {
        const ndk_status status = i == 0 ? check_tensor(tensors[i], result) : check_float_tensor(tensors[i], dtype);
        if (status != NDK_OK) {
            return status;
        }
    }
    if (!same_shape(x1, out) || !same_shape(x2, out)) {
        return NDK_INVALID_ARGUMENT;
    }
    const std::int64_t item = item_size(dtype);
    const std::int64_t out_item = item_size(result);
    const bool stream = worth_streaming(out);
    visit(host, row.cost, tensors, [&](const RowOf<3> &part) {
        map_strided(row, {part.data[0], part.stride[0], out_item}, {part.data[1], part.stride[1], item},
                    {part.data[2], part.stride[2], item}, part.count, stream);
    });
    return NDK_OK;
}

} // namespace ndk
