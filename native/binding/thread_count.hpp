// SPDX-License-Identifier: Apache-2.0
//
// How many threads a kernel may use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ndkernels {

// The number of physical cores that this process may run on (>= 1): two hardware threads of one core share its vector
// units, so a second one on the same core gains nothing in a kernel that keeps them busy.
std::int32_t physical_cores();

// What OMP_NUM_THREADS says ("4", or "4,2" of which the first counts); `number` is empty when that is not a number from
// 1 to max_threads.
struct ThreadsVariable {
    std::string text; // empty where it is not set
    std::optional<std::int32_t> number;
};

// Reads the environment. Call once, at import: from then on it is the same for the whole life of the process.
void read_threads_variable();
const ThreadsVariable &threads_variable();

// The present number; 0 as long as nobody has set it.
std::int32_t thread_count() noexcept;
void set_thread_count(std::int32_t count) noexcept;

} // namespace ndkernels
