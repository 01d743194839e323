// SPDX-License-Identifier: Apache-2.0
//
// A right operand that was packed once for many products.
#ifndef NDK_GEMM_PACKED_RIGHT_HPP
#define NDK_GEMM_PACKED_RIGHT_HPP

#include <limits>
#include <type_traits>

#include "gemm/gemm.hpp"
#include "packed.hpp"

namespace ndk {

// bfloat16 has two orders, which the machine decides between.
template <typename T>
inline constexpr std::int32_t kElement = std::is_same_v<T, float>         ? NDK_FLOAT32
                                         : std::is_same_v<T, double>      ? NDK_FLOAT64
                                         : std::is_same_v<T, Float16>     ? NDK_FLOAT16
                                         : std::is_same_v<T, BFloat16>    ? NDK_BFLOAT16
                                         : std::is_same_v<T, std::int8_t> ? NDK_INT8
                                                                          : 100 + NDK_BFLOAT16;

template <typename T>
PackedKey right_key(std::int64_t k, std::int64_t n) {
    return PackedKey(PackedKind::kRight, kElement<T>, {k, n, 0, 0});
}

// Lets the product read what the call has packed of b, which is not transposed. The bits of the result stay the same,
// and so does what one row is computed by: it reads b once, so that a copy is of no use.
template <typename T>
void use_packed_right(const ndk_call *call, Product<T> &product) {
    const auto *data = packed_weights<Packed<T>>(call, right_key<T>(product.k, product.n));
    if (data != nullptr && !plan_for(product).vector) {
        product.packed_b = {data, round_up(product.n, kTileColumns<Packed<T>>), 0};
    }
}

// How many units a copy has that is worth keeping. One column is computed as one row.
template <typename T>
std::int64_t worth_packing_right(std::int64_t k, std::int64_t n) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 64;
    std::int64_t elements = 0;
    if (n <= 1 || k == 0 || __builtin_mul_overflow(k + 1, n + kTileColumns<Packed<T>>, &elements) || elements > kMost) {
        return 0;
    }
    return packed_right_size<T>(k, n);
}

} // namespace ndk
#endif // NDK_GEMM_PACKED_RIGHT_HPP
