// SPDX-License-Identifier: Apache-2.0
//
// Matrix products: which parts of which matrices the threads compute.
#include "host.hpp"
#include "kernels.hpp"
#include "matmul_block.hpp"
#include "views.hpp"

namespace ndk {
namespace {

// A grid of parts of a product, cut where tiles end: as square as the number of parts allows.
struct Grid {
    std::int64_t down = 1;
    std::int64_t across = 1;

    template <typename T>
    static Grid of(const Product<T> &product, std::int64_t parts) {
        Grid best;
        std::int64_t least = -1;
        for (std::int64_t down = 1; down <= parts; ++down) {
            const std::int64_t across = parts / down;
            // What all the parts together read, for the largest number of parts.
            const std::int64_t cost = (across * product.m + down * product.n) * parts / (down * across);
            if (least < 0 || cost < least) {
                least = cost;
                best = {down, across};
            }
        }
        return best;
    }

    template <typename T>
    Product<T> part(const Product<T> &product, std::int64_t index) const {
        const std::int64_t i = index / across;
        const std::int64_t j = index % across;
        return product.part(part_begin(product.m, down, i, kTileRows), part_begin(product.m, down, i + 1, kTileRows),
                            part_begin(product.n, across, j, kTileColumns<T>),
                            part_begin(product.n, across, j + 1, kTileColumns<T>));
    }
};

template <typename T>
Matrix<T> matrix_of(const ndk_tensor *tensor) {
    constexpr std::int64_t kSize = static_cast<std::int64_t>(sizeof(T));
    const std::int64_t *strides = tensor->strides + tensor->ndim - 2;
    return {static_cast<T *>(tensor->data), strides[0] / kSize, strides[1] / kSize};
}

template <typename T>
ndk_status matmul_typed(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out) {
    LoopNest<3> batch;
    for (std::int32_t axis = 0; axis < out->ndim - 2; ++axis) {
        batch.insert(out->shape[axis], {out->strides[axis], x1->strides[axis], x2->strides[axis]});
    }
    batch.merge();
    const std::int64_t m = out->shape[out->ndim - 2];
    const std::int64_t n = out->shape[out->ndim - 1];
    Product<T> product{
        m, n, x1->shape[x1->ndim - 1], matrix_of<const T>(x1), matrix_of<const T>(x2), matrix_of<T>(out)};
    if (batch.size * m * n == 0) {
        return NDK_OK;
    }
    // The rows of c are written in vectors; and a single column is computed as a single row.
    const bool swapped = n == 1 || (m != 1 && product.c.column != 1 && product.c.row == 1);
    if (swapped) {
        product = product.transposed();
    }
    const Plan plan = plan_for(product);

    constexpr std::int64_t kGrain = std::int64_t{1} << 20; // multiplications that are worth another thread
    const std::int64_t work = m * n * (product.k > 0 ? product.k : 1);
    const std::int64_t parts = parts_for(host, batch.size * (work / 1024 + 1) / (kGrain / 1024));
    // Few matrices are cut, many are dealt out whole.
    const std::int64_t cuts = batch.size >= 4 * parts ? 1 : work / kGrain;
    const Grid grid = Grid::of(product, cuts < 1 ? 1 : (cuts < parts ? cuts : parts));
    const std::int64_t pieces = batch.size * grid.down * grid.across;

    bool out_of_memory = false;
    parallel_for(host, parts < pieces ? parts : pieces, [&](std::int64_t part) {
        const std::int64_t dealers = parts < pieces ? parts : pieces;
        const std::int64_t end = part_begin(pieces, dealers, part + 1, 1);
        const std::int64_t elements = Multiplier<T>::scratch_size(product, plan);
        const Scratch<T> scratch(host, elements);
        if (elements > 0 && scratch.get() == nullptr) {
            __atomic_store_n(&out_of_memory, true, __ATOMIC_RELAXED);
            return;
        }
        const Multiplier<T> multiplier(product, plan, scratch.get());
        for (std::int64_t piece = part_begin(pieces, dealers, part, 1); piece < end; ++piece) {
            const Cursor<3> cursor(batch, piece / (grid.down * grid.across));
            constexpr std::int64_t kSize = static_cast<std::int64_t>(sizeof(T));
            Product<T> one = product;
            one.c.data += cursor.offset[0] / kSize;
            one.a.data += cursor.offset[swapped ? 2 : 1] / kSize;
            one.b.data += cursor.offset[swapped ? 1 : 2] / kSize;
            multiplier.run(grid.part(one, piece % (grid.down * grid.across)));
        }
    });
    return out_of_memory ? NDK_OUT_OF_MEMORY : NDK_OK;
}

bool multiplies(const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out) {
    const std::int32_t ndim = out->ndim;
    if (ndim < 2 || x1->ndim != ndim || x2->ndim != ndim) {
        return false;
    }
    for (std::int32_t axis = 0; axis < ndim - 2; ++axis) {
        if (x1->shape[axis] != out->shape[axis] || x2->shape[axis] != out->shape[axis]) {
            return false;
        }
    }
    return x1->shape[ndim - 2] == out->shape[ndim - 2] && x2->shape[ndim - 1] == out->shape[ndim - 1] &&
           x1->shape[ndim - 1] == x2->shape[ndim - 2];
}

} // namespace

ndk_status matmul(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out) {
    const ndk_tensor *const tensors[] = {out, x1, x2};
    for (const ndk_tensor *tensor : tensors) {
        if (const ndk_status status = check_float_tensor(tensor, out->dtype); status != NDK_OK) {
            return status;
        }
    }
    if (!multiplies(x1, x2, out)) {
        return NDK_INVALID_ARGUMENT;
    }
    return out->dtype == NDK_FLOAT32 ? matmul_typed<float>(host, x1, x2, out) : matmul_typed<double>(host, x1, x2, out);
}

} // namespace ndk
