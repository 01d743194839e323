// SPDX-License-Identifier: Apache-2.0
#include "thread_pool.hpp"

#include <pthread.h>
#include <signal.h>
#include <strings.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>

namespace ndkernels {
namespace {

thread_local bool in_task = false;

// Waking a thread takes tens of microseconds, and more on virtual machines: longer than many a computation. So one that
// has nothing to do looks for it this long before it sleeps.
constexpr std::chrono::microseconds patience{200};
bool patient = true;

inline void pause_briefly() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Returns when done() says so or patience ends.
template <typename Done>
void await_awake(const Done &done) noexcept {
    if (!patient || done()) {
        return;
    }
    const auto end = std::chrono::steady_clock::now() + patience;
    do {
        for (int i = 0; i < 32; ++i) {
            pause_briefly();
            if (done()) {
                return;
            }
        }
        std::this_thread::yield(); // there may be more threads than processors
    } while (std::chrono::steady_clock::now() < end);
}

struct Job {
    ndk_task task;
    void *argument;
    std::int64_t count;
    std::atomic<std::int64_t> next{0};

    void work() noexcept {
        const bool before = in_task;
        in_task = true;
        for (std::int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
            task(argument, i);
        }
        in_task = before;
    }
};

// Signals are for the threads of the program: a pool thread starts with all of them blocked.
class BlockedSignals {
public:
    BlockedSignals() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    BlockedSignals(const BlockedSignals &) = delete;
    BlockedSignals &operator=(const BlockedSignals &) = delete;

private:
    sigset_t before_{};
};

class Pool {
public:
    // False when the pool is at work for another thread.
    bool try_run(std::int32_t threads, Job &job) {
        const std::unique_lock<std::mutex> owner(owner_, std::try_to_lock);
        if (!owner.owns_lock()) {
            return false;
        }
        grow(threads - 1);
        bool wake = false;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            job_ = &job;
            seats_ = threads - 1;
            wake = asleep_ > 0;
        }
        if (wake) {
            work_.notify_all();
        }
        job.work();
        // The job lies on this thread's stack: it must not be left before the last worker has.
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            seats_ = 0;
            job_ = nullptr;
        }
        await_awake([this] { return active_ == 0; });
        std::unique_lock<std::mutex> lock(mutex_);
        idle_.wait(lock, [this] { return active_ == 0; });
        return true;
    }

private:
    // Called by the owner only. Where the system gives no more threads, fewer do the work.
    void grow(std::int32_t wanted) {
        if (workers_ >= wanted) {
            return;
        }
        const BlockedSignals blocked;
        try {
            for (; workers_ < wanted; ++workers_) {
                std::thread([this] { serve(); }).detach();
            }
        } catch (const std::system_error &) {
        }
    }

    [[noreturn]] void serve() noexcept {
#if defined(__linux__)
        pthread_setname_np(pthread_self(), "ndkernels");
#endif
        for (;;) {
            await_awake([this] { return seats_ > 0; });
            std::unique_lock<std::mutex> lock(mutex_);
            if (seats_ == 0) {
                ++asleep_;
                work_.wait(lock);
                --asleep_;
                if (seats_ == 0) {
                    continue; // too late for this job; the next one may follow soon
                }
            }
            --seats_;
            ++active_;
            Job &job = *job_;
            lock.unlock();
            job.work();
            lock.lock();
            if (--active_ == 0) {
                idle_.notify_one();
            }
        }
    }

    std::mutex owner_;         // held by the thread whose job is running
    std::int32_t workers_ = 0; // guarded by owner_
    std::mutex mutex_;         // guards changes of what follows
    std::condition_variable work_;
    std::condition_variable idle_;
    Job *job_ = nullptr;
    std::int32_t asleep_ = 0;             // how many workers have to be woken
    std::atomic<std::int32_t> seats_{0};  // how many more workers may join the job
    std::atomic<std::int32_t> active_{0}; // how many are in it
};

// Never destroyed: its threads sleep in it until the process ends, and nothing has to wait for them then.
std::atomic<Pool *> current{nullptr};

Pool &pool() {
    Pool *existing = current.load();
    if (existing == nullptr) {
        Pool *fresh = new Pool;
        if (current.compare_exchange_strong(existing, fresh)) {
            return *fresh;
        }
        delete fresh; // another thread was faster; this one has no threads yet
    }
    return *existing;
}

} // namespace

void parallel_for(std::int32_t threads, std::int64_t count, ndk_task task, void *argument) noexcept {
    Job job{task, argument, count};
    const auto useful = static_cast<std::int32_t>(std::min<std::int64_t>(threads, count));
    if (useful <= 1 || in_task || !pool().try_run(useful, job)) {
        job.work();
    }
}

bool inside_task() noexcept { return in_task; }

void read_wait_policy() {
    const char *text = std::getenv("OMP_WAIT_POLICY");
    patient = text == nullptr || strcasecmp(text, "passive") != 0;
}

void register_fork_handler() {
    // The old pool is left behind as it is: its locks may be held by threads that the child does not have.
    pthread_atfork(nullptr, nullptr, [] {
        current.store(nullptr);
        in_task = false;
    });
}

} // namespace ndkernels
