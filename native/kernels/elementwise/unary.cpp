// SPDX-License-Identifier: Apache-2.0
//
// Unary functions of each element. Scratch memory: blocks of some kilobytes on the stack of each thread.
#include "elementwise/copy.hpp"
#include "elementwise/rows.hpp"
#include "elementwise/strided.hpp"
#include "elementwise/visit.hpp"
#include "kernels.hpp"

namespace ndk {
namespace {

constexpr std::int64_t kFloatBlock = 512; // elements of a 16-bit format

void map_strided(const UnaryRow &op, const double *parameters, const Strided &out, const Strided &x, std::int64_t count,
                 bool stream) {
    if (out.consecutive() && x.consecutive()) {
        op.run(parameters, x.data, out.data, count, stream);
        return;
    }
    Block blocks[2];
    for (std::int64_t begin = 0; begin < count; begin += kBlock) {
        const std::int64_t part = count - begin < kBlock ? count - begin : kBlock;
        op.run(parameters, x.take(begin, part, blocks[0]), out.target(begin, blocks[1]), part, false);
        out.give(begin, part, blocks[1]);
    }
}

void map_half(const UnaryRow &op, const double *parameters, std::int32_t dtype, const Strided &out, const Strided &x,
              std::int64_t count) {
    Block half;
    alignas(64) float wide[kFloatBlock];
    auto *bits = static_cast<std::uint16_t *>(half.get());
    for (std::int64_t begin = 0; begin < count; begin += kFloatBlock) {
        const std::int64_t part = count - begin < kFloatBlock ? count - begin : kFloatBlock;
        const bool whole = part % kLanes<float> == 0; // what lies behind the array is neither read nor written
        const char *from = x.data + begin * x.stride;
        if (whole && x.consecutive()) {
            widen(dtype, reinterpret_cast<const std::uint16_t *>(from), wide, part);
        } else {
            for (std::int64_t i = part; i % kLanes<float> != 0; ++i) {
                bits[i] = 0;
            }
            gather_items(2, from, x.stride, bits, part);
            widen(dtype, bits, wide, part);
        }
        op.run(parameters, wide, wide, part, false);
        char *to = out.data + begin * out.stride;
        if (whole && out.consecutive()) {
            narrow(dtype, wide, reinterpret_cast<std::uint16_t *>(to), part);
        } else {
            narrow(dtype, wide, bits, part);
            scatter_items(2, bits, to, out.stride, part);
        }
    }
}

bool is_half(std::int32_t dtype) { return dtype == NDK_FLOAT16 || dtype == NDK_BFLOAT16; }

} // namespace

ndk_status unary(const ndk_host *host, ndk_unary_op op, const double *parameters, const ndk_tensor *x,
                 const ndk_tensor *out) {
    const std::int32_t dtype = out->dtype;
    const ndk_tensor *const tensors[] = {out, x};
    for (const ndk_tensor *tensor : tensors) {
        if (const ndk_status status = check_tensor(tensor, dtype); status != NDK_OK) {
            return status;
        }
    }
    if (!same_shape(x, out)) {
        return NDK_INVALID_ARGUMENT;
    }
    if (op == NDK_COPY) {
        copy(host, *x, *out);
        return NDK_OK;
    }
    const UnaryRow row = dtype == NDK_FLOAT64 ? unary_row<double>(op) : unary_row<float>(op);
    if (row.run == nullptr) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!is_float(dtype) && !(is_half(dtype) && row.any_width)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    const std::int64_t item = item_size(dtype);
    const bool stream = worth_streaming(out);
    visit(host, row.cost, tensors, [&](const RowOf<2> &part) {
        const Strided to{part.data[0], part.stride[0], item};
        const Strided from{part.data[1], part.stride[1], item};
        if (is_half(dtype)) {
            map_half(row, parameters, dtype, to, from, part.count);
        } else {
            map_strided(row, parameters, to, from, part.count, stream);
        }
    });
    return NDK_OK;
}

} // namespace ndk
