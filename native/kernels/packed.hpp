// SPDX-License-Identifier: Apache-2.0
//
// Weights that were packed once for many calls: ndk_packed of ndkernels.h, as the kernels write and read it.
#ifndef NDK_PACKED_HPP
#define NDK_PACKED_HPP

#include <cstdint>

#include "ndkernels.h"

namespace ndk {

inline constexpr int kLibraryNameSize = 64;
extern const char kLibraryName[kLibraryNameSize]; // classifier and version, with zeros behind them

enum class PackedKind : std::int32_t { kRight = 1, kFilters, kWinograd, kRecurrent };

// What packed weights begin with: who packed them, in which order, and what they were. It is compared as bytes.
struct PackedKey {
    PackedKey(PackedKind of, std::int32_t element_type, const std::int64_t (&extents)[4])
        : kind(of), element(element_type) {
        for (int i = 0; i < kLibraryNameSize; ++i) {
            library[i] = kLibraryName[i];
        }
        for (int i = 0; i < 4; ++i) {
            extent[i] = extents[i];
        }
    }

    char library[kLibraryNameSize];
    PackedKind kind;
    std::int32_t element;
    std::int64_t extent[4];
};

inline constexpr std::int64_t kPackedBegin = 128; // bytes, in which the key lies
static_assert(sizeof(PackedKey) == kLibraryNameSize + 8 + 4 * 8 && sizeof(PackedKey) <= kPackedBegin);

// What was packed under this key for the call, or null.
template <typename T>
const T *packed_weights(const ndk_call *call, const PackedKey &key) {
    if (call->host->call_size < sizeof(ndk_call) || call->packed == nullptr || call->packed->data == nullptr ||
        call->packed->size < kPackedBegin || __builtin_memcmp(call->packed->data, &key, sizeof(key)) != 0) {
        return nullptr;
    }
    return reinterpret_cast<const T *>(static_cast<const char *>(call->packed->data) + kPackedBegin);
}

// The work of an operator NAME_pack: `count` elements under a key, none of them where `count` is 0; pack(to) fills
// them.
template <typename T, typename Pack>
ndk_status pack_weights(const ndk_call *call, const PackedKey &key, std::int64_t count, const Pack &pack) {
    const ndk_tensor *out = call->outputs[0];
    const std::int64_t size = count == 0 ? 0 : kPackedBegin + count * static_cast<std::int64_t>(sizeof(T));
    if (out->dtype == NDK_INT64 && out->ndim == 0) {
        *static_cast<std::int64_t *>(out->data) = size;
        return NDK_OK;
    }
    if (out->dtype != NDK_INT8 || out->ndim != 1 || out->shape[0] != size || (size > 1 && out->strides[0] != 1) ||
        reinterpret_cast<std::uintptr_t>(out->data) % 64 != 0) {
        return NDK_INVALID_ARGUMENT;
    }
    if (size == 0) {
        return NDK_OK;
    }
    auto *to = static_cast<char *>(out->data);
    __builtin_memset(to, 0, kPackedBegin);
    __builtin_memcpy(to, &key, sizeof(key));
    return pack(reinterpret_cast<T *>(to + kPackedBegin));
}

} // namespace ndk
#endif // NDK_PACKED_HPP
