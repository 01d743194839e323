// SPDX-License-Identifier: Apache-2.0
//
// where: inputs condition (bool), x1, x2 (any one dtype); outputs out, of x1's dtype; all of one shape (the caller has
// broadcast them); no integers, no numbers. out = x1 where the condition is true, x2 elsewhere, as the Array API says.
// Scratch memory: blocks of some kilobytes on the stack of each thread.
#include "call.hpp"
#include "elementwise/strided.hpp"
#include "elementwise/visit.hpp"

namespace ndk {
namespace {

template <typename Word, bool Constant1, bool Constant2>
void choose(const void *condition, const void *x1, const void *x2, void *out, std::int64_t count) {
    const auto *chosen = static_cast<const std::uint8_t *>(condition);
    const auto *first = static_cast<const Word *>(x1);
    const auto *second = static_cast<const Word *>(x2);
    auto *result = static_cast<Word *>(out);
    const Word constant1 = *first;
    const Word constant2 = *second;
// `result` is x1 or x2 itself, or overlaps neither.
#if defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif
    for (std::int64_t i = 0; i < count; ++i) {
        const Word a = Constant1 ? constant1 : first[i];
        const Word b = Constant2 ? constant2 : second[i];
        result[i] = chosen[i] != 0 ? a : b;
    }
}

template <typename Word>
void choose_words(const void *condition, const void *x1, bool constant1, const void *x2, bool constant2, void *out,
                  std::int64_t count) {
    if (constant1 && constant2) {
        choose<Word, true, true>(condition, x1, x2, out, count);
    } else if (constant1) {
        choose<Word, true, false>(condition, x1, x2, out, count);
    } else if (constant2) {
        choose<Word, false, true>(condition, x1, x2, out, count);
    } else {
        choose<Word, false, false>(condition, x1, x2, out, count);
    }
}

void choose_row(std::int64_t item, const RowOf<4> &row) {
    const Strided out{row.data[0], row.stride[0], item};
    const Strided condition{row.data[1], row.stride[1], 1};
    const Strided x1{row.data[2], row.stride[2], item};
    const Strided x2{row.data[3], row.stride[3], item};
    const bool constant1 = x1.stride == 0;
    const bool constant2 = x2.stride == 0;
    const auto run = item == 1   ? choose_words<std::uint8_t>
                     : item == 2 ? choose_words<std::uint16_t>
                     : item == 4 ? choose_words<std::uint32_t>
                                 : choose_words<std::uint64_t>;
    const bool direct1 = constant1 || x1.consecutive();
    const bool direct2 = constant2 || x2.consecutive();
    if (direct1 && direct2 && condition.consecutive() && out.consecutive()) {
        run(condition.data, x1.data, constant1, x2.data, constant2, out.data, row.count);
        return;
    }
    Block blocks[4];
    for (std::int64_t begin = 0; begin < row.count; begin += kBlock) {
        const std::int64_t part = row.count - begin < kBlock ? row.count - begin : kBlock;
        run(condition.take(begin, part, blocks[1]), constant1 ? x1.data : x1.take(begin, part, blocks[2]), constant1,
            constant2 ? x2.data : x2.take(begin, part, blocks[3]), constant2, out.target(begin, blocks[0]), part);
        out.give(begin, part, blocks[0]);
    }
}

} // namespace

ndk_status operators::where(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 3, 0, 1, 0, 0); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *out = call->outputs[0];
    const ndk_tensor *condition = call->inputs[0];
    const ndk_tensor *x1 = call->inputs[1];
    const ndk_tensor *x2 = call->inputs[2];
    if (condition->dtype != NDK_BOOL || x1->dtype != out->dtype || x2->dtype != out->dtype) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!same_shape(condition, out) || !same_shape(x1, out) || !same_shape(x2, out)) {
        return NDK_INVALID_ARGUMENT;
    }
    const std::int64_t item = item_size(out->dtype);
    const ndk_tensor *const tensors[] = {out, condition, x1, x2};
    visit(call->host, 4, tensors, [&](const RowOf<4> &row) { choose_row(item, row); });
    return NDK_OK;
}

} // namespace ndk
