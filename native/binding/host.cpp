// SPDX-License-Identifier: Apache-2.0
#include "host.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "thread_count.hpp"
#include "thread_pool.hpp"

namespace ndkernels {
namespace {

std::int32_t host_num_threads(void * /*context*/) noexcept {
    return inside_task() ? 1 : std::max<std::int32_t>(thread_count(), 1);
}

void host_parallel_for(void *context, std::int64_t count, ndk_task task, void *argument) noexcept {
    parallel_for(host_num_threads(context), count, task, argument);
}

void *host_allocate(void * /*context*/, std::size_t size, std::size_t alignment) noexcept {
    void *pointer = nullptr;
    // NULL means "out of memory" to the kernels, so an empty block must not be NULL.
    const int failed = posix_memalign(&pointer, std::max(alignment, sizeof(void *)), std::max<std::size_t>(size, 1));
    return failed == 0 ? pointer : nullptr;
}

void host_release(void * /*context*/, void *pointer) noexcept { std::free(pointer); }

// As Python's logging does where nobody has configured it: warnings are shown, the rest is not.
void host_log(void * /*context*/, std::int32_t level, const char *message) noexcept {
    if (level >= NDK_LOG_WARNING) {
        std::fprintf(stderr, "ndkernels: %s\n", message);
    }
}

// Never freed: another thread may be looking something up.
std::atomic<const std::vector<std::string> *> features_of_host{nullptr};

std::int32_t host_has_feature(void * /*context*/, const char *name) noexcept {
    const std::vector<std::string> *features = features_of_host.load(std::memory_order_acquire);
    if (features == nullptr) {
        return 0;
    }
    const auto before = [](const std::string &each, const char *wanted) { return each.compare(wanted) < 0; };
    const auto found = std::lower_bound(features->begin(), features->end(), name, before);
    return found != features->end() && *found == name ? 1 : 0;
}

} // namespace

void set_features(const std::vector<std::string> &features) {
    features_of_host.store(new std::vector<std::string>(features), std::memory_order_release);
}

const ndk_host &host() {
    static const ndk_host services = {
        sizeof(ndk_host), sizeof(ndk_call), nullptr,  host_parallel_for, host_num_threads,
        host_allocate,    host_release,     host_log, host_has_feature,
    };
    return services;
}

} // namespace ndkernels
