// SPDX-License-Identifier: Apache-2.0
#include "onednn/cache.hpp"

#include <cstring>

#include "onednn/lock.hpp"

namespace ndk::onednn {
namespace {

// All that a program depends on: the operator, the number of threads, whether weights are reordered once for many
// calls, and the tensors but for their data.
class Key {
public:
    Key(const char *name, const ndk_call *call) {
        put(reinterpret_cast<std::uintptr_t>(name));
        put(static_cast<std::uint64_t>(call->host->num_threads(call->host->context)));
        put(std::uint64_t{shares_weights(call)});
        for (int i = 0; i < call->input_count; ++i) {
            put(call->inputs[i]);
        }
        for (int i = 0; i < call->output_count; ++i) {
            put(call->outputs[i]);
        }
        for (int i = 0; i < call->integer_count; ++i) {
            put(static_cast<std::uint64_t>(call->integers[i]));
        }
        for (int i = 0; i < call->number_count; ++i) {
            std::uint64_t bits = 0;
            std::memcpy(&bits, &call->numbers[i], sizeof(bits));
            put(bits);
        }
        hash_ ^= hash_ >> 32;
    }

    bool fits() const { return count_ <= kMost; }
    std::uint64_t hash() const { return hash_; }
    bool operator==(const Key &other) const {
        return hash_ == other.hash_ && count_ == other.count_ &&
               std::memcmp(words_, other.words_, static_cast<std::size_t>(count_) * sizeof(*words_)) == 0;
    }

private:
    static constexpr int kMost = 128;

    void put(std::uint64_t word) {
        if (count_ < kMost) {
            words_[count_] = word;
        }
        ++count_;
        hash_ = (hash_ ^ word) * 0x9e3779b97f4a7c15ULL;
        hash_ ^= hash_ >> 29;
    }
    void put(const ndk_tensor *tensor) {
        if (tensor == nullptr) {
            put(~std::uint64_t{0});
            return;
        }
        put(static_cast<std::uint64_t>(tensor->dtype) << 32 | static_cast<std::uint64_t>(tensor->ndim));
        for (std::int32_t axis = 0; axis < tensor->ndim; ++axis) {
            put(static_cast<std::uint64_t>(tensor->shape[axis]));
            put(static_cast<std::uint64_t>(tensor->strides[axis]));
        }
    }

    std::uint64_t words_[kMost];
    std::uint64_t hash_ = 0;
    int count_ = 0;
};

struct Entry {
    Key key;
    Program program;
    bool possible;      // whether oneDNN can do it
    std::int64_t used;  // when, in calls
    std::int32_t users; // that are running it
};

Lock::Flag held;

// What follows is guarded by it.
Entry *entries[kMostPrograms];
CacheCounters counters;
std::int64_t now;

Entry *find(const Key &key) {
    for (std::int64_t i = 0; i < counters.entries; ++i) {
        if (entries[i]->key == key) {
            entries[i]->used = ++now;
            return entries[i];
        }
    }
    return nullptr;
}

// A place for one more; `evicted` is what was there.
Entry **place(Entry *&evicted) {
    if (counters.entries < kMostPrograms) {
        return &entries[counters.entries++];
    }
    Entry **oldest = nullptr;
    for (Entry *&entry : entries) {
        if (entry->users == 0 && (oldest == nullptr || entry->used < (*oldest)->used)) {
            oldest = &entry;
        }
    }
    if (oldest != nullptr) {
        evicted = *oldest;
        ++counters.evictions;
    }
    return oldest;
}

void destroy(const ndk_host *host, Entry *entry) {
    if (entry != nullptr) {
        entry->program.release();
        host->release(host->context, entry);
    }
}

// The entry of a call, which nobody takes away until give_back(); NULL where there is no memory for it, or the call is
// too large.
Entry *take(const char *name, Build build, const ndk_call *call) {
    const Key key(name, call);
    if (!key.fits()) {
        return nullptr;
    }
    {
        const Lock lock(held);
        if (Entry *found = find(key); found != nullptr) {
            ++counters.hits;
            ++found->users;
            return found;
        }
        ++counters.misses;
    }
    const ndk_host *host = call->host;
    auto *fresh = static_cast<Entry *>(host->allocate(host->context, sizeof(Entry), alignof(Entry)));
    if (fresh == nullptr) {
        return nullptr;
    }
    *fresh = Entry{key, Program{}, false, 0, 1};
    {
        Builder builder(call, fresh->program);
        fresh->possible = build(builder) && builder.finish();
    }
    if (!fresh->possible) {
        fresh->program.release();
    }
    Entry *unwanted = nullptr;
    Entry *result = fresh;
    {
        const Lock lock(held);
        if (Entry *found = find(key); found != nullptr) { // another thread was faster
            ++found->users;
            unwanted = fresh;
            result = found;
        } else if (Entry **at = place(unwanted); at != nullptr) {
            fresh->used = ++now;
            *at = fresh;
        } else {
            result = nullptr; // all are running
            unwanted = fresh;
        }
    }
    destroy(host, unwanted);
    return result;
}

void give_back(Entry *entry) {
    const Lock lock(held);
    --entry->users;
}

} // namespace

bool has_program(const char *name, Build build, const ndk_call *call) {
    Entry *entry = take(name, build, call);
    if (entry == nullptr) {
        return false;
    }
    const bool possible = entry->possible;
    give_back(entry);
    return possible;
}

ndk_status run_program(const char *name, Build build, const ndk_call *call) {
    Entry *entry = take(name, build, call);
    if (entry == nullptr) {
        return NDK_OUT_OF_MEMORY;
    }
    const ndk_status status = entry->possible ? entry->program.run(call) : NDK_INVALID_ARGUMENT;
    give_back(entry);
    return status;
}

CacheCounters cache_counters() {
    const Lock lock(held);
    return counters;
}

} // namespace ndk::onednn
