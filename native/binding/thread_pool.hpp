// SPDX-License-Identifier: Apache-2.0
//
// The one pool of threads of the process. No thread exists before the first parallel call that needs one.
#pragma once

#include <cstdint>

#include "ndkernels.h"

namespace ndkernels {

// Largest number of threads that may be asked for.
constexpr std::int32_t max_threads = 1024;

// Calls task(argument, i) for each i in [0, count) on up to `threads` threads, the calling one among them, and returns
// when all are done. Runs on the calling thread alone when it is itself a task, and when the pool is at work for
// another thread: waiting for it would be slower than doing the work, and could deadlock.
void parallel_for(std::int32_t threads, std::int64_t count, ndk_task task, void *argument) noexcept;

// True on a thread that is executing a task of parallel_for.
bool inside_task() noexcept;

// Reads OMP_WAIT_POLICY: "passive" has threads sleep as soon as they have nothing to do. Call once, at import.
void read_wait_policy();

// After fork() only the forking thread is left; the child must start with a fresh pool. Call once, at import.
void register_fork_handler();

} // namespace ndkernels
