// SPDX-License-Identifier: Apache-2.0
//
// The host's services as C++ values: parallel loops over lambdas, and scratch memory that frees itself.
#ifndef NDK_HOST_HPP
#define NDK_HOST_HPP

#include <cstddef>
#include <cstdint>

#include "ndkernels.h"

namespace ndk {

// Into how many parts work that is worth `grains` thread starts is split: never more than there are threads.
inline std::int64_t parts_for(const ndk_host *host, std::int64_t grains) {
    if (grains < 2) {
        return 1;
    }
    const std::int64_t threads = host->num_threads(host->context);
    return threads < grains ? (threads < 1 ? 1 : threads) : grains;
}

// body(i) for each i in [0, count); the host is not asked for a single one.
template <typename Body>
inline void parallel_for(const ndk_host *host, std::int64_t count, const Body &body) {
    if (count <= 1) {
        for (std::int64_t i = 0; i < count; ++i) {
            body(i);
        }
        return;
    }
    const auto call = [](void *argument, std::int64_t index) { (*static_cast<const Body *>(argument))(index); };
    host->parallel_for(host->context, count, call, const_cast<Body *>(&body));
}

// Start of part `index` when `total` is cut into `parts` nearly equal parts whose borders are multiples of `unit`.
inline std::int64_t part_begin(std::int64_t total, std::int64_t parts, std::int64_t index, std::int64_t unit) {
    if (parts == 1) { // spares small calls the divisions
        return index == 0 ? 0 : total;
    }
    const std::int64_t units = (total + unit - 1) / unit;
    const std::int64_t begin = (units / parts * index + (units % parts * index) / parts) * unit;
    return begin < total ? begin : total;
}

// Scratch memory of the host, aligned to a cache line; `get()` is null when there was none left,
// and when none was asked for.
template <typename T>
class Scratch {
public:
    Scratch(const ndk_host *host, std::int64_t count) : host_(host) {
        if (count > 0) {
            const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
            data_ = static_cast<T *>(host->allocate(host->context, bytes, 64));
        }
    }
    ~Scratch() {
        if (data_ != nullptr) {
            host_->release(host_->context, data_);
        }
    }
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;

    T *get() const { return data_; }

private:
    const ndk_host *host_;
    T *data_ = nullptr;
};

} // namespace ndk
#endif // NDK_HOST_HPP
