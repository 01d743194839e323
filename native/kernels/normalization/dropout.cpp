// SPDX-License-Identifier: Apache-2.0
//
// dropout: inputs x; outputs out, of x's dtype (float32, float64) and shape; integers (the seed, 64 bits); numbers (the
// probability of 0).
//
// Element i in C order is x / (1 - p) where the i-th number of the generator is at least p 2^32, else 0. The generator
// is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011, section 3.3):
// four numbers come from the counter i / 4 and the seed alone, so that they are the same whatever computes them, and
// the gradient needs no mask. Scratch memory: two blocks of 1024 elements on the stack.
#include "call.hpp"
#include "host.hpp"
#include "vec.hpp"

namespace ndk {
namespace {

constexpr std::int64_t kBlock = 1024;
constexpr std::int64_t kGrain = std::int64_t{1} << 14; // elements that are worth a thread

// kWays counters at once, so that the compiler can use vectors.
constexpr int kWays = 16;

void philox(std::uint64_t counter, std::uint64_t seed, std::uint32_t (&out)[4 * kWays]) {
    std::uint32_t c[4][kWays];
    for (std::uint32_t i = 0; i < kWays; ++i) {
        const std::uint64_t number = counter + i;
        c[0][i] = static_cast<std::uint32_t>(number);
        c[1][i] = static_cast<std::uint32_t>(number >> 32);
        c[2][i] = 0;
        c[3][i] = 0;
    }
    auto key0 = static_cast<std::uint32_t>(seed);
    auto key1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < kWays; ++i) {
            const std::uint64_t product0 = std::uint64_t{0xD2511F53} * c[0][i];
            const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * c[2][i];
            c[0][i] = static_cast<std::uint32_t>(product1 >> 32) ^ c[1][i] ^ key0;
            c[2][i] = static_cast<std::uint32_t>(product0 >> 32) ^ c[3][i] ^ key1;
            c[1][i] = static_cast<std::uint32_t>(product1);
            c[3][i] = static_cast<std::uint32_t>(product0);
        }
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
    for (int i = 0; i < kWays; ++i) {
        for (int word = 0; word < 4; ++word) {
            out[4 * i + word] = c[word][i];
        }
    }
}

// factors[i] = 0 or `kept` for element begin + i.
template <typename T>
void fill(T *factors, std::int64_t begin, std::int64_t count, std::uint64_t seed, std::uint64_t threshold, T kept) {
    std::int64_t number = begin / 4;
    std::int64_t skip = begin % 4;
    for (std::int64_t done = 0; done < count; number += kWays, skip = 0) {
        std::uint32_t random[4 * kWays];
        philox(static_cast<std::uint64_t>(number), seed, random);
        const std::int64_t left = 4 * kWays - skip < count - done ? 4 * kWays - skip : count - done;
        for (std::int64_t i = 0; i < left; ++i) {
            factors[done + i] = random[skip + i] >= threshold ? kept : T{0};
        }
        done += left;
    }
}

template <typename T>
ndk_status dropout_typed(const ndk_call *call) {
    const ndk_tensor *x = call->inputs[0];
    const ndk_tensor *out = call->outputs[0];
    const double p = call->numbers[0];
    const auto threshold = static_cast<std::uint64_t>(p * 0x1p32);
    const T kept = p < 1.0 ? static_cast<T>(1.0 / (1.0 - p)) : T{0};
    const auto seed = static_cast<std::uint64_t>(call->integers[0]);
    // The elements are counted in C order, so the loops must not be reordered: rows are the last axis.
    const std::int32_t last = out->ndim - 1;
    const std::int64_t extent = out->ndim == 0 ? 1 : out->shape[last];
    std::int64_t rows = 1;
    for (std::int32_t i = 0; i < last; ++i) {
        rows *= out->shape[i];
    }
    if (rows * extent == 0) {
        return NDK_OK;
    }
    const std::int64_t x_step = out->ndim == 0 ? 0 : x->strides[last];
    const std::int64_t out_step = out->ndim == 0 ? 0 : out->strides[last];
    const std::int64_t blocks = (extent + kBlock - 1) / kBlock;
    const std::int64_t tasks = rows * blocks;
    const std::int64_t parts = parts_for(call->host, rows * extent / kGrain);
    const std::int64_t threads = parts < tasks ? parts : tasks;
    parallel_for(call->host, threads, [&](std::int64_t part) {
        const std::int64_t end = part_begin(tasks, threads, part + 1, 1);
        for (std::int64_t task = part_begin(tasks, threads, part, 1); task < end; ++task) {
            const std::int64_t row = task / blocks;
            const std::int64_t begin = task % blocks * kBlock;
            const std::int64_t count = extent - begin < kBlock ? extent - begin : kBlock;
            const char *from = static_cast<const char *>(x->data) + begin * x_step;
            char *to = static_cast<char *>(out->data) + begin * out_step;
            std::int64_t place = row;
            for (std::int32_t i = last - 1; i >= 0; --i) {
                from += place % out->shape[i] * x->strides[i];
                to += place % out->shape[i] * out->strides[i];
                place /= out->shape[i];
            }
            T block[kBlock];
            T factors[kBlock];
            gather(from, x_step, block, count);
            fill(factors, row * extent + begin, count, seed, threshold, kept);
            for (std::int64_t i = 0; i < count; ++i) {
                block[i] = factors[i] == T{0} ? T{0} : block[i] * factors[i];
            }
            scatter(block, to, out_step, count);
        }
    });
    return NDK_OK;
}

} // namespace

ndk_status operators::dropout(const ndk_call *call) {
    if (const ndk_status status = check_call(call, 1, 0, 1, 1, 1); status != NDK_OK) {
        return status;
    }
    const ndk_tensor *out = call->outputs[0];
    if (call->inputs[0]->dtype != out->dtype || !same_shape(call->inputs[0], out) || !(call->numbers[0] >= 0.0) ||
        !(call->numbers[0] <= 1.0)) {
        return NDK_INVALID_ARGUMENT;
    }
    if (!is_float(out->dtype)) {
        return NDK_UNSUPPORTED_DTYPE;
    }
    return out->dtype == NDK_FLOAT32 ? dropout_typed<float>(call) : dropout_typed<double>(call);
}

} // namespace ndk
