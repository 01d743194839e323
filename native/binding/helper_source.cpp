// SPDX-License-Identifier: Apache-2.0
#include "helper_source.hpp"

#include <mutex>
#include <stdexcept>

#include "fork_gate.hpp"
#include "helpers.hpp"
#include "host.hpp"
#include "library.hpp"
#include "shared_library.hpp"

namespace ndkernels {
namespace {

const ndk_helper_source *source_in_use() {
    const ndk_table *table = table_in_use();
    return table != nullptr ? table->helper_source : nullptr;
}

} // namespace

std::string compiled_helper() {
    const ndk_helper_source *source = source_in_use();
    return source != nullptr ? source->name : "";
}

void open_compiled_helper(const std::string &name, const std::string &path, const std::string &version) {
    const ndk_helper_source *source = source_in_use();
    if (source == nullptr || name != source->name) {
        throw std::out_of_range(name);
    }
    static std::mutex mutex;
    static const ndk_helper *opened = nullptr;
    const std::lock_guard<std::mutex> lock(mutex);
    if (opened != nullptr) {
        return;
    }
    void *library = open_shared(path);
    const char *kept = (new std::string(version))->c_str(); // threads may still ask for it while the process ends
    const ndk_helper *helper = nullptr;
    const ndk_status status = source->open(&host(), find_symbol, library, kept, &helper);
    if (status == NDK_INVALID_ARGUMENT) {
        throw LibraryError(path + ": lacks a function");
    }
    if (status == NDK_ABI_MISMATCH) {
        throw LibraryError(path + ": is of another major version than its package says");
    }
    if (status != NDK_OK) {
        throw LibraryError(path + ": refused to start with status " + std::to_string(status));
    }
    guard_forks();
    register_helper(*helper);
    opened = helper;
}

} // namespace ndkernels
