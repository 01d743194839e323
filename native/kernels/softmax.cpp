// SPDX-License-Identifier: Apache-2.0
//
// softmax: inputs x; outputs out, of x's dtype (float32, float64) and shape; integers (axis), in [0, ndim); no numbers.
//
// exp(x - max) / sum(exp(x - max)), which overflows nowhere. A row that holds NaN, or +inf, becomes NaN, as in NumPy's
// arithmetic and in torch.
#include "call.hpp"
#include "exp.hpp"
#include "host.hpp"
#include "vec.hpp"

namespace ndk {
namespace {

constexpr std::int64_t kGrain = std::int64_t{1} << 15; // elements that are worth a thread

template <typename T>
void softmax_row(const char *x, std::int64_t x_stride, char *out, std::int64_t out_stride, std::int64_t count, T *row) {
    gather(x, x_stride, row, count);
    T most = row[0];
    for (std::int64_t i = 1; i < count; ++i) {
        most = row[i] > most ? row[i] : most;
    }
    T total = 0;
    std::int64_t i = 0;
    Vec<T> sums{};
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        const Vec<T> power = vector_exp(load(row + i) - splat(most));
        sums += power;
        store(row + i, power);
    }
    if (i < count) {
        const Vec<T> power = vector_exp(load_partial(row + i, count - i) - splat(most));
        store_partial(row + i, power, count - i);
        for (; i < count; ++i) {
            total += row[i];
        }
    }
    const T scale = T{1} / (total + sum_of_lanes<T>(sums));
    for (i = 0; i < count; ++i) {
        row[i] *= scale;
    }
    scatter(row, out, out_stride, count);
}

template <typename T>
ndk_status softmax_typed(const ndk_call *call, std::int32_t axis) {
    const ndk_tensor *x = call->inputs[0];
    const ndk_tensor *out = call->outputs[0];
    LoopNest<2> rows;
    for (std::int32_t i = 0; i < out->ndim; ++i) {
        if (i != axis) {
            rows.insert(out->shape[i], {out->strides[i], x->strides[i]});
        }
    }
    rows.merge();
    const std::int64_t count = out->shape[axis];
    if (rows.size * count == 0) {
        return NDK_OK;
    }
    const std::int64_t parts = parts_for(call->host, rows.size * count / kGrain);
    const Scratch<T> scratch(call->host, parts * count);
    if (scratch.get() == nullptr) {
        return NDK_OUT_OF_MEMORY;
    }
    parallel_for(call->host, parts, [&](std::int64_t part) {
        const std::int64_t begin = part_begin(rows.size, parts, part, 1);
        const std::int64_t end = part_begin(rows.size, parts, part + 1, 1);
        Cursor<2> cursor(rows, begin);
        for (std::int64_t row = begin; row < end; ++row, cursor.next()) {
            softmax_row(static_cast<const char *>(x->data) + cursor.offset[1], x->strides[axis],
                        static_cast<char *>(out->data) + cursor.offset[0], out->strides[axis], count,
                        scratch.get() + part * count);
        }
    });
    return NDK_OK;
}

} // namespace

ndk_status operators::softmax(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 1, 0, 1, 1, 0); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *x = call->inputs[0];
    const ndk_tensor *out = call->outputs[0];
    const std::int64_t axis = call->integers[0];
    if (x->dtype != out->dtype || !same_shape(x, out) || axis < 0 || axis >= x->ndim) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!is_float(x->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    return x->dtype == NDK_FLOAT32 ? softmax_typed<float>(call, static_cast<std::int32_t>(axis))
                                   : softmax_typed<double>(call, static_cast<std::int32_t>(axis));
}

} // namespace ndk
