// SPDX-License-Identifier: Apache-2.0
//
// Copying between layouts, which asks for the size of the elements only. Scratch memory: a block of some kilobytes on
// the stack of each thread.
#include "elementwise/copy.hpp"

#include "elementwise/strided.hpp"
#include "elementwise/visit.hpp"

namespace ndk {

void copy(const ndk_host *host, const ndk_tensor &x, const ndk_tensor &out) {
    const std::int64_t item = item_size(x.dtype);
    const ndk_tensor *const tensors[] = {&out, &x};
    visit(host, 4, tensors, [&](const RowOf<2> &part) {
        const Strided to{part.data[0], part.stride[0], item};
        const Strided from{part.data[1], part.stride[1], item};
        if (from.consecutive() && to.consecutive()) {
            __builtin_memmove(to.data, from.data, static_cast<std::size_t>(part.count * item));
        } else if (from.consecutive()) {
            scatter_items(item, from.data, to.data, to.stride, part.count);
        } else if (to.consecutive()) {
            gather_items(item, from.data, from.stride, to.data, part.count);
        } else {
            Block block;
            for (std::int64_t begin = 0; begin < part.count; begin += kBlock) {
                const std::int64_t count = part.count - begin < kBlock ? part.count - begin : kBlock;
                from.take(begin, count, block);
                to.give(begin, count, block);
            }
        }
    });
}

} // namespace ndk
