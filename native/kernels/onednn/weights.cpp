// SPDX-License-Identifier: Apache-2.0
#include "onednn/weights.hpp"

#include "onednn/lock.hpp"

namespace ndk::onednn {
namespace {

struct Kept {
    std::uint64_t id;
    int role;
    Desc order;
    void *data;
    const ndk_host *host;
    Kept *next;
};

Lock::Flag held;
Kept *first; // guarded by `held`

void *find(std::uint64_t id, int role, ConstDesc order) {
    for (const Kept *each = first; each != nullptr; each = each->next) {
        if (each->id == id && each->role == role && api.memory_desc_equal(each->order, order) != 0) {
            return each->data;
        }
    }
    return nullptr;
}

} // namespace

void *kept_weights(std::uint64_t id, int role, ConstDesc order) {
    const Lock lock(held);
    return find(id, role, order);
}

void *keep_weights(const ndk_host *host, std::uint64_t id, int role, ConstDesc order, void *data) {
    auto *fresh = static_cast<Kept *>(host->allocate(host->context, sizeof(Kept), alignof(Kept)));
    Desc copy = nullptr;
    if (fresh == nullptr || api.memory_desc_clone(&copy, order) != status::kSuccess) {
        if (fresh != nullptr) {
            host->release(host->context, fresh);
        }
        return nullptr;
    }
    void *other = nullptr;
    {
        const Lock lock(held);
        other = find(id, role, order);
        if (other == nullptr) {
            *fresh = {id, role, copy, data, host, first};
            first = fresh;
        }
    }
    if (other != nullptr) {
        api.memory_desc_destroy(copy);
        host->release(host->context, fresh);
        host->release(host->context, data);
        return other;
    }
    return data;
}

void forget_weights(std::uint64_t id) {
    Kept *gone = nullptr;
    {
        const Lock lock(held);
        for (Kept **link = &first; *link != nullptr;) {
            Kept *each = *link;
            if (each->id == id) {
                *link = each->next;
                each->next = gone;
                gone = each;
            } else {
                link = &each->next;
            }
        }
    }
    while (gone != nullptr) {
        Kept *each = gone;
        gone = each->next;
        api.memory_desc_destroy(each->order);
        each->host->release(each->host->context, each->data);
        each->host->release(each->host->context, each);
    }
}

} // namespace ndk::onednn
