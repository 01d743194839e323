// SPDX-License-Identifier: Apache-2.0
#include "thread_count.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

#include "thread_pool.hpp"

namespace ndkernels {
namespace {

std::atomic<std::int32_t> count_in_use{0};

#if defined(__linux__)
// The processors in the affinity mask of this process; empty when the system does not tell.
std::vector<int> allowed_processors() {
    // The mask's size is not known beforehand: the call fails with EINVAL while the set is smaller than the kernel's.
    for (int size = CPU_SETSIZE; size <= (1 << 20); size *= 2) {
        std::vector<cpu_set_t> mask(static_cast<std::size_t>(size) / CPU_SETSIZE);
        const std::size_t bytes = mask.size() * sizeof(cpu_set_t);
        if (sched_getaffinity(0, bytes, mask.data()) != 0) {
            continue;
        }
        std::vector<int> processors;
        for (int i = 0; i < size; ++i) {
            if (CPU_ISSET_S(static_cast<std::size_t>(i), bytes, mask.data())) {
                processors.push_back(i);
            }
        }
        return processors;
    }
    return {};
}
#endif

} // namespace

std::int32_t physical_cores() {
#if defined(__linux__)
    const std::vector<int> processors = allowed_processors();
    std::set<std::string> cores;
    for (const int processor : processors) {
        // All hardware threads of one core have the same list.
        std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(processor) +
                           "/topology/thread_siblings_list");
        std::string siblings;
        if (!std::getline(file, siblings)) {
            cores.clear(); // a container may hide /sys: then every processor counts
            break;
        }
        cores.insert(siblings);
    }
    const std::size_t found = cores.empty() ? processors.size() : cores.size();
#else
    const std::size_t found = 0;
#endif
    const std::size_t cores_or_all = found > 0 ? found : std::thread::hardware_concurrency();
    return static_cast<std::int32_t>(std::clamp<std::size_t>(cores_or_all, 1, max_threads));
}

namespace {

std::string trimmed(const std::string &text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::optional<std::int32_t> parse_thread_count(const std::string &text) {
    std::int32_t number = 0;
    for (const char c : trimmed(text.substr(0, text.find(',')))) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        number = number * 10 + (c - '0');
        if (number > max_threads) {
            return std::nullopt;
        }
    }
    return number >= 1 ? std::optional<std::int32_t>(number) : std::nullopt;
}

ThreadsVariable variable;

} // namespace

void read_threads_variable() {
    const char *text = std::getenv("OMP_NUM_THREADS");
    variable.text = text != nullptr ? trimmed(text) : "";
    variable.number = parse_thread_count(variable.text);
}

const ThreadsVariable &threads_variable() { return variable; }

std::int32_t thread_count() noexcept { return count_in_use.load(std::memory_order_relaxed); }

void set_thread_count(std::int32_t count) noexcept { count_in_use.store(count, std::memory_order_relaxed); }

} // namespace ndkernels
