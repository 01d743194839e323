// SPDX-License-Identifier: Apache-2.0
#ifndef NDK_ONEDNN_LOCK_HPP
#define NDK_ONEDNN_LOCK_HPP

#include <sched.h>

namespace ndk::onednn {

// Held for a few hundred nanoseconds. fork() waits until no call is in a helper, so no child finds it held.
class Lock {
public:
    using Flag = bool;

    explicit Lock(Flag &flag) : flag_(flag) {
        while (__atomic_test_and_set(&flag_, __ATOMIC_ACQUIRE)) {
            sched_yield();
        }
    }
    ~Lock() { __atomic_clear(&flag_, __ATOMIC_RELEASE); }
    Lock(const Lock &) = delete;
    Lock &operator=(const Lock &) = delete;

private:
    Flag &flag_;
};

} // namespace ndk::onednn
#endif // NDK_ONEDNN_LOCK_HPP
