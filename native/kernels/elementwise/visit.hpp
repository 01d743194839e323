// SPDX-License-Identifier: Apache-2.0
//
// The walk over strided views of one shape, row by row.
#ifndef NDK_ELEMENTWISE_VISIT_HPP
#define NDK_ELEMENTWISE_VISIT_HPP

#include "host.hpp"
#include "vec.hpp"
#include "views.hpp"

namespace ndk {

// The innermost loop over `Count` views; the first is the output.
template <int Count>
struct RowOf {
    char *data[Count];
    std::int64_t stride[Count]; // in bytes
    std::int64_t count;
};

// Of a result, in bytes: far more than the caches hold.
inline constexpr std::int64_t kStreamFrom = std::int64_t{1} << 24;

// Whether a result had better not go through the caches.
inline bool worth_streaming(const ndk_tensor *out) { return byte_count(out) >= kStreamFrom; }

// Visits the elements [begin, end) of a nest whose innermost loop, of `extent`, has been taken off: row by row, with
// the place of the row's first element and their number.
template <int Count, typename Row>
void for_rows(const LoopNest<Count> &outer, std::int64_t extent, const std::int64_t (&inner)[Count], std::int64_t begin,
              std::int64_t end, const Row &row) {
    Cursor<Count> cursor(outer, begin == 0 ? 0 : begin / extent);
    for (std::int64_t start = begin == 0 ? 0 : begin % extent; begin < end; start = 0, cursor.next()) {
        const std::int64_t count = extent - start < end - begin ? extent - start : end - begin;
        std::int64_t offset[Count];
        for (int view = 0; view < Count; ++view) {
            offset[view] = cursor.offset[view] + start * inner[view];
        }
        row(offset, count);
        begin += count;
    }
}

// row(RowOf<Count>) for all elements of the tensors, which have one shape; tensors[0] is the output. `cost` is about
// how many vector instructions a vector takes.
template <int Count, typename Row>
void visit(const ndk_host *host, std::int64_t cost, const ndk_tensor *const (&tensors)[Count], const Row &row) {
    RowOf<Count> part;
    for (int view = 0; view < Count; ++view) {
        part.data[view] = static_cast<char *>(tensors[view]->data);
    }
    const std::int64_t grain = (std::int64_t{1} << 18) / cost; // elements worth another thread
    const ndk_tensor &out = *tensors[0];
    if (out.ndim == 0 || (out.ndim == 1 && out.shape[0] < 2 * grain)) { // the quick way for small calls
        part.count = out.ndim == 0 ? 1 : out.shape[0];
        for (int view = 0; view < Count; ++view) {
            part.stride[view] = part.count == 1 ? item_size(tensors[view]->dtype) : tensors[view]->strides[0];
        }
        if (part.count != 0) {
            row(part);
        }
        return;
    }
    LoopNest<Count> nest;
    std::int64_t inner[Count];
    for (std::int32_t axis = 0; axis < out.ndim; ++axis) {
        for (int view = 0; view < Count; ++view) {
            inner[view] = tensors[view]->strides[axis];
        }
        nest.insert(out.shape[axis], inner);
    }
    const std::int64_t size = nest.size;
    if (size == 0) {
        return;
    }
    nest.merge();
    nest.prefer_long_inner(16);
    const std::int64_t extent = nest.take_inner(inner);
    if (extent == 1) { // one element: its strides are never taken
        for (int view = 0; view < Count; ++view) {
            inner[view] = item_size(tensors[view]->dtype);
        }
    }
    const std::int64_t parts = parts_for(host, size / grain);
    parallel_for(host, parts, [&](std::int64_t index) {
        for_rows(nest, extent, inner, part_begin(size, parts, index, 64), part_begin(size, parts, index + 1, 64),
                 [&](const std::int64_t (&offset)[Count], std::int64_t count) {
                     RowOf<Count> piece;
                     for (int view = 0; view < Count; ++view) {
                         piece.data[view] = part.data[view] + offset[view];
                         piece.stride[view] = inner[view];
                     }
                     piece.count = count;
                     row(piece);
                 });
    });
}

} // namespace ndk
#endif // NDK_ELEMENTWISE_VISIT_HPP
