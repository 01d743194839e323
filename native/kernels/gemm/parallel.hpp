// SPDX-License-Identifier: Apache-2.0
//
// Matrix products on several threads: a product is cut into a grid of parts, and many products are dealt out.
#ifndef NDK_GEMM_PARALLEL_HPP
#define NDK_GEMM_PARALLEL_HPP

#include "gemm/gemm.hpp"
#include "host.hpp"

namespace ndk {

// A grid of parts of a product, cut where tiles end: as square as the number of parts allows.
struct Grid {
    std::int64_t down = 1;
    std::int64_t across = 1;

    static Grid of(std::int64_t m, std::int64_t n, std::int64_t parts) {
        Grid best;
        std::int64_t least = -1;
        for (std::int64_t down = 1; down <= parts; ++down) {
            const std::int64_t across = parts / down;
            // What all the parts together read, for the largest number of parts.
            const std::int64_t cost = (across * m + down * n) * parts / (down * across);
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
        constexpr std::int64_t kColumns = kTileColumns<Packed<T>>;
        return product.part(part_begin(product.m, down, i, kTileRows), part_begin(product.m, down, i + 1, kTileRows),
                            part_begin(product.n, across, j, kColumns), part_begin(product.n, across, j + 1, kColumns));
    }
};

// `count` products of the shape and the strides of `product`; product_at(i, product) moves the latter to the i-th
// place. Each thread has scratch memory for one product.
template <typename T, typename At>
ndk_status multiply_all(const ndk_host *host, std::int64_t count, const Product<T> &product, const At &product_at) {
    if (count * product.m * product.n == 0) {
        return NDK_OK;
    }
    const Plan plan = plan_for(product);
    // Multiplications that are worth another thread: some 25 us. One that sleeps may come too late for them; what it
    // does not take is done without it.
    constexpr std::int64_t kGrain = (std::int64_t{1} << 15) * static_cast<std::int64_t>(kVectorBytes);
    const std::int64_t work = product.m * product.n * (product.k > 0 ? product.k : 1);
    const std::int64_t parts = parts_for(host, count * (work / 1024 + 1) / (kGrain / 1024));
    // Few matrices are cut, many are dealt out whole.
    const std::int64_t cuts = count >= 4 * parts ? 1 : work / kGrain;
    const Grid grid = Grid::of(product.m, product.n, cuts < 1 ? 1 : (cuts < parts ? cuts : parts));
    const std::int64_t cells = grid.down * grid.across;
    const std::int64_t pieces = count * cells;
    const std::int64_t dealers = parts < pieces ? parts : pieces;
    const std::int64_t bytes = scratch_bytes(product, plan);

    bool out_of_memory = false;
    parallel_for(host, dealers, [&](std::int64_t part) {
        const Scratch<char> scratch(host, bytes);
        if (bytes > 0 && scratch.get() == nullptr) {
            __atomic_store_n(&out_of_memory, true, __ATOMIC_RELAXED);
            return;
        }
        const std::int64_t end = part_begin(pieces, dealers, part + 1, 1);
        for (std::int64_t piece = part_begin(pieces, dealers, part, 1); piece < end; ++piece) {
            Product<T> one = product;
            product_at(piece / cells, one);
            multiply(cells == 1 ? one : grid.part(one, piece % cells), plan, scratch.get());
        }
    });
    return out_of_memory ? NDK_OUT_OF_MEMORY : NDK_OK;
}

// compute(T{}) with the type of bfloat16 that is multiplied fastest on this machine.
template <typename Compute>
ndk_status with_bfloat16(const ndk_host *host, const Compute &compute) {
#ifdef NDK_PAIRED_BFLOAT16
    if (host->has_feature(host->context, "avx512_bf16") != 0) {
        return compute(PairedBFloat16{});
    }
#endif
    static_cast<void>(host);
    return compute(BFloat16{});
}

template <typename T>
ndk_status multiply_parallel(const ndk_host *host, const Product<T> &product) {
    return multiply_all(host, 1, product, [](std::int64_t, Product<T> &) {});
}

} // namespace ndk
#endif // NDK_GEMM_PARALLEL_HPP
