// SPDX-License-Identifier: Apache-2.0
#include "fork_gate.hpp"

#include <pthread.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <new>

namespace ndkernels {
namespace {

// No std::shared_mutex: in glibc, readers that keep coming can make a writer wait forever.
class Gate {
public:
    void enter() {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return closed_ == 0; });
        ++inside_;
    }
    void leave() {
        const std::lock_guard<std::mutex> lock(mutex_);
        --inside_;
        if (closed_ > 0 && inside_ == 0) {
            changed_.notify_all();
        }
    }
    void close() {
        std::unique_lock<std::mutex> lock(mutex_);
        ++closed_;
        changed_.wait(lock, [this] { return inside_ == 0; });
    }
    void open() {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (--closed_ == 0) {
            changed_.notify_all();
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::int32_t inside_ = 0;
    std::int32_t closed_ = 0; // one for each library
};

// Never destroyed: threads may come back to it while the process ends.
alignas(Gate) unsigned char memory[sizeof(Gate)];
Gate *gate = new (memory) Gate;

} // namespace

NotDuringFork::NotDuringFork() { gate->enter(); }
NotDuringFork::~NotDuringFork() { gate->leave(); }

void guard_forks() {
    // The child has none of the threads that may wait in the old one.
    if (pthread_atfork([] { gate->close(); }, [] { gate->open(); }, [] { gate = new (memory) Gate; }) != 0) {
        throw std::bad_alloc(); // the only reason that it can have
    }
}

} // namespace ndkernels
