// SPDX-License-Identifier: Apache-2.0
//
// Calls of other libraries during which the process must not be forked.
#pragma once

namespace ndkernels {

// While one exists on any thread, fork() waits; while fork() waits, none is made. OpenBLAS ends its threads before a
// fork, also those that another thread waits for, and an OpenMP runtime is in no state to be copied while it works.
class NotDuringFork {
public:
    NotDuringFork();
    ~NotDuringFork();
    NotDuringFork(const NotDuringFork &) = delete;
    NotDuringFork &operator=(const NotDuringFork &) = delete;
};

// Call after each library has registered its own handlers: those that are registered last are called first.
// Throws std::bad_alloc.
void guard_forks();

} // namespace ndkernels
