// SPDX-License-Identifier: Apache-2.0
//
// Unary and binary functions of each element.
#include "elementwise_ops.hpp"
#include "host.hpp"
#include "kernels.hpp"
#include "vec.hpp"
#include "views.hpp"

namespace ndk {
namespace {

// Consecutive elements in memory.
template <typename T>
struct Run {
    const T *data;
    Vec<T> at(std::int64_t i) const { return load(data + i); }
    Vec<T> first(std::int64_t count) const { return load_partial(data, count); }
};

// One element, broadcast.
template <typename T>
struct Splat {
    Vec<T> value;
    Vec<T> at(std::int64_t) const { return value; }
    Vec<T> first(std::int64_t) const { return value; }
};

// out[i] = op(source[i]...) for i in [0, count). The two ends, which are not on vector borders of `out`, are computed
// first and written last, so the vectors in between may overlap them even when `out` is one of the inputs.
template <typename T, typename Op, typename... Source>
void map_run(const Op &op, T *out, std::int64_t count, const Source &...source) {
    constexpr std::int64_t kStep = kLanes<T>;
    constexpr std::int64_t kUnroll = 4;
    if (count < kStep) {
        store_partial(out, op(source.first(count)...), count);
        return;
    }
    const Vec<T> head = op(source.at(0)...);
    const Vec<T> tail = op(source.at(count - kStep)...);
    const std::uintptr_t beyond = reinterpret_cast<std::uintptr_t>(out) % kVectorBytes;
    std::int64_t i = static_cast<std::int64_t>((kVectorBytes - beyond) % kVectorBytes / sizeof(T));
    for (; i + kUnroll * kStep <= count; i += kUnroll * kStep) {
        Vec<T> result[kUnroll];
        for (std::int64_t u = 0; u < kUnroll; ++u) {
            result[u] = op(source.at(i + u * kStep)...);
        }
        for (std::int64_t u = 0; u < kUnroll; ++u) {
            store(out + i + u * kStep, result[u]);
        }
    }
    for (; i + kStep <= count; i += kStep) {
        store(out + i, op(source.at(i)...));
    }
    store(out, head);
    store(out + count - kStep, tail);
}

template <typename T>
Vec<T> splat_at(const char *address) {
    return splat(*reinterpret_cast<const T *>(address));
}

template <typename T, typename Op>
void map_row(const Op &op, T *out, std::int64_t count, const char *x, bool constant) {
    if (constant) {
        map_run<T>(op, out, count, Splat<T>{splat_at<T>(x)});
    } else {
        map_run<T>(op, out, count, Run<T>{reinterpret_cast<const T *>(x)});
    }
}

template <typename T, typename Op>
void map_row(const Op &op, T *out, std::int64_t count, const char *x1, bool constant1, const char *x2, bool constant2) {
    const Run<T> run1{reinterpret_cast<const T *>(x1)};
    const Run<T> run2{reinterpret_cast<const T *>(x2)};
    if (constant1 && constant2) {
        map_run<T>(op, out, count, Splat<T>{splat_at<T>(x1)}, Splat<T>{splat_at<T>(x2)});
    } else if (constant1) {
        map_run<T>(op, out, count, Splat<T>{splat_at<T>(x1)}, run2);
    } else if (constant2) {
        map_run<T>(op, out, count, run1, Splat<T>{splat_at<T>(x2)});
    } else {
        map_run<T>(op, out, count, run1, run2);
    }
}

// One input of the innermost loop: used where it lies when its elements are consecutive or all the same, else copied
// block by block into consecutive memory.
template <typename T>
class Input {
public:
    Input(const char *data, std::int64_t stride) : data_(data), stride_(stride) {}

    bool constant() const { return stride_ == 0; }
    bool direct() const { return stride_ == 0 || stride_ == static_cast<std::int64_t>(sizeof(T)); }
    const char *take(std::int64_t begin, std::int64_t count, T *block) const {
        const char *from = data_ + begin * stride_;
        if (direct()) {
            return from;
        }
        gather(from, stride_, block, count);
        return reinterpret_cast<const char *>(block);
    }

private:
    const char *data_;
    std::int64_t stride_;
};

constexpr std::int64_t kBlock = 256; // elements; a few of these blocks stay in the L1 cache

template <typename T, typename Op>
void map_strided(const Op &op, char *out, std::int64_t stride, std::int64_t count, const Input<T> &x) {
    const bool consecutive = stride == static_cast<std::int64_t>(sizeof(T));
    const std::int64_t step = consecutive && x.direct() ? count : kBlock;
    T block[2][kBlock];
    for (std::int64_t begin = 0; begin < count; begin += step) {
        const std::int64_t part = count - begin < step ? count - begin : step;
        char *to = out + begin * stride;
        T *result = consecutive ? reinterpret_cast<T *>(to) : block[1];
        map_row<T>(op, result, part, x.take(begin, part, block[0]), x.constant());
        if (!consecutive) {
            scatter(block[1], to, stride, part);
        }
    }
}

template <typename T, typename Op>
void map_strided(const Op &op, char *out, std::int64_t stride, std::int64_t count, const Input<T> &x1,
                 const Input<T> &x2) {
    const bool consecutive = stride == static_cast<std::int64_t>(sizeof(T));
    const std::int64_t step = consecutive && x1.direct() && x2.direct() ? count : kBlock;
    T block[3][kBlock];
    for (std::int64_t begin = 0; begin < count; begin += step) {
        const std::int64_t part = count - begin < step ? count - begin : step;
        char *to = out + begin * stride;
        T *result = consecutive ? reinterpret_cast<T *>(to) : block[2];
        map_row<T>(op, result, part, x1.take(begin, part, block[0]), x1.constant(), x2.take(begin, part, block[1]),
                   x2.constant());
        if (!consecutive) {
            scatter(block[2], to, stride, part);
        }
    }
}

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

// tensors[0] is the output.
template <typename T, typename Op, int Count>
ndk_status map_all(const ndk_host *host, const Op &op, const ndk_tensor *const (&tensors)[Count]) {
    LoopNest<Count> nest;
    char *data[Count];
    std::int64_t inner[Count];
    for (int view = 0; view < Count; ++view) {
        data[view] = static_cast<char *>(tensors[view]->data);
    }
    for (std::int32_t axis = 0; axis < tensors[0]->ndim; ++axis) {
        for (int view = 0; view < Count; ++view) {
            inner[view] = tensors[view]->strides[axis];
        }
        nest.insert(tensors[0]->shape[axis], inner);
    }
    const std::int64_t size = nest.size;
    if (size == 0) {
        return NDK_OK;
    }
    nest.merge();
    nest.prefer_long_inner(16);
    const std::int64_t extent = nest.take_inner(inner);

    const auto row = [&](const std::int64_t (&offset)[Count], std::int64_t count) {
        const Input<T> x1(data[1] + offset[1], inner[1]);
        if constexpr (Count == 2) {
            map_strided(op, data[0] + offset[0], inner[0], count, x1);
        } else {
            map_strided(op, data[0] + offset[0], inner[0], count, x1, Input<T>(data[2] + offset[2], inner[2]));
        }
    };
    constexpr std::int64_t kGrain = (std::int64_t{1} << 18) / Op::kCost; // elements worth another thread
    const std::int64_t parts = parts_for(host, size / kGrain);
    parallel_for(host, parts, [&](std::int64_t part) {
        for_rows(nest, extent, inner, part_begin(size, parts, part, kLanes<T>),
                 part_begin(size, parts, part + 1, kLanes<T>), row);
    });
    return NDK_OK;
}

template <typename Op, int Count>
ndk_status map_typed(const ndk_host *host, const Op &op, const ndk_tensor *const (&tensors)[Count]) {
    return tensors[0]->dtype == NDK_FLOAT32 ? map_all<float>(host, op, tensors) : map_all<double>(host, op, tensors);
}

template <int Count>
ndk_status check_all(const ndk_tensor *const (&tensors)[Count]) {
    for (const ndk_tensor *tensor : tensors) {
        if (const ndk_status status = check_float_tensor(tensor, tensors[0]->dtype); status != NDK_OK) {
            return status;
        }
        if (!same_shape(tensor, tensors[0])) {
            return NDK_INVALID_ARGUMENT;
        }
    }
    return NDK_OK;
}

} // namespace

ndk_status unary(const ndk_host *host, ndk_unary_op op, const ndk_tensor *x, const ndk_tensor *out) {
    const ndk_tensor *const tensors[] = {out, x};
    if (const ndk_status status = check_all(tensors); status != NDK_OK) {
        return status;
    }
    switch (op) {
    case NDK_COPY:
        return map_typed(host, Copy{}, tensors);
    case NDK_RELU:
        return map_typed(host, Relu{}, tensors);
    case NDK_EXP:
        return map_typed(host, Exp{}, tensors);
    }
    return NDK_INVALID_ARGUMENT;
}

ndk_status binary(const ndk_host *host, ndk_binary_op op, const ndk_tensor *x1, const ndk_tensor *x2,
                  const ndk_tensor *out) {
    const ndk_tensor *const tensors[] = {out, x1, x2};
    if (const ndk_status status = check_all(tensors); status != NDK_OK) {
        return status;
    }
    switch (op) {
    case NDK_ADD:
        return map_typed(host, Add{}, tensors);
    case NDK_SUBTRACT:
        return map_typed(host, Subtract{}, tensors);
    case NDK_MULTIPLY:
        return map_typed(host, Multiply{}, tensors);
    case NDK_DIVIDE:
        return map_typed(host, Divide{}, tensors);
    case NDK_MAXIMUM:
        return map_typed(host, Maximum{}, tensors);
    }
    return NDK_INVALID_ARGUMENT;
}

} // namespace ndk
