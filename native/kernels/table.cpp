// SPDX-License-Identifier: Apache-2.0
//
// The one exported symbol.
#include <string_view>

#include "call.hpp"
#include "kernels.hpp"
#include "packed.hpp"
#ifdef NDK_ONEDNN
#include "onednn/helper.hpp"
#endif

#if !defined(NDK_CLASSIFIER) || !defined(NDK_VERSION)
#error "the build defines NDK_CLASSIFIER and NDK_VERSION as string literals"
#endif

const char ndk::kLibraryName[kLibraryNameSize] = NDK_CLASSIFIER " " NDK_VERSION;

namespace {

constexpr ndk_operator kOperators[] = {
#define NDK_OPERATOR(name) {#name, ndk::operators::name},
#include "operators.def"
#undef NDK_OPERATOR
};
constexpr int kOperatorCount = sizeof(kOperators) / sizeof(*kOperators);

constexpr bool sorted() {
    for (int i = 1; i < kOperatorCount; ++i) {
        if (std::string_view(kOperators[i - 1].name) >= kOperators[i].name) {
            return false;
        }
    }
    return true;
}
static_assert(sorted(), "operators.def is not in alphabetical order");

#ifdef NDK_ONEDNN
constexpr const ndk_helper_source *kHelperSource = &ndk::onednn::helper_source;
#else
constexpr const ndk_helper_source *kHelperSource = nullptr;
#endif

constexpr ndk_table kTable = {
    sizeof(ndk_table), NDK_ABI_MAJOR, NDK_ABI_MINOR, NDK_CLASSIFIER, NDK_VERSION,    ndk::unary,
    ndk::binary,       ndk::reduce,   ndk::matmul,   kOperators,     kOperatorCount, kHelperSource,
};

} // namespace

extern "C" NDK_EXPORT ndk_status ndkernels_open(uint32_t abi_major, const ndk_host *host, const ndk_table **table) {
    if (table == nullptr || host == nullptr) {
        return NDK_INVALID_ARGUMENT;
    }
    *table = nullptr;
    if (abi_major != NDK_ABI_MAJOR || host->struct_size < sizeof(ndk_host)) {
        return NDK_ABI_MISMATCH;
    }
    *table = &kTable;
    return NDK_OK;
}
