/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel library for tests: it computes nothing, and reports what the host services did. In C, because the header
 * promises to be C.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ndkernels.h"

#ifndef PROBE_MAJOR
#define PROBE_MAJOR NDK_ABI_MAJOR
#endif

struct counts {
    const ndk_host *host;
    _Atomic int64_t outer;
    _Atomic int64_t inner;
    _Atomic int64_t index_sum;
    _Atomic int32_t wide_inside; /* how many tasks were promised more than one thread */
};

static void inner_task(void *argument, int64_t index) {
    (void)index;
    atomic_fetch_add(&((struct counts *)argument)->inner, 1);
}

static void outer_task(void *argument, int64_t index) {
    struct counts *counts = argument;
    const ndk_host *host = counts->host;
    atomic_fetch_add(&counts->outer, 1);
    atomic_fetch_add(&counts->index_sum, index);
    atomic_fetch_add(&counts->wide_inside, host->num_threads(host->context) != 1);
    host->parallel_for(host->context, 3, inner_task, counts);
}

static bool memory_is_aligned(const ndk_host *host) {
    static const size_t sizes[] = {0, 1, 1000};
    bool good = true;
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); ++i) {
            void *pointer = host->allocate(host->context, sizes[i], alignment);
            good = good && pointer != NULL && (uintptr_t)pointer % alignment == 0;
            if (pointer != NULL) {
                memset(pointer, 1, sizes[i]);
            }
            host->release(host->context, pointer);
        }
    }
    host->release(host->context, NULL);
    return good;
}

/* exp fills `out` (float64) with what was counted; relu only writes messages. */
static ndk_status unary(const ndk_host *host, ndk_unary_op op, const double *parameters, const ndk_tensor *x,
                        const ndk_tensor *out) {
    (void)parameters;
    if (op == NDK_RELU) {
        host->log(host->context, NDK_LOG_DEBUG, "a detail");
        host->log(host->context, NDK_LOG_INFO, "a message");
        return NDK_OK;
    }
    struct counts counts = {.host = host};
    host->parallel_for(host->context, x->shape[0], outer_task, &counts);
    double *values = out->data;
    values[0] = (double)counts.outer;
    values[1] = (double)counts.inner;
    values[2] = (double)counts.index_sum;
    values[3] = host->num_threads(host->context);
    values[4] = counts.wide_inside;
    values[5] = memory_is_aligned(host);
    values[6] = host->struct_size == sizeof(ndk_host);
    return NDK_OK;
}

static ndk_status binary(const ndk_host *host, ndk_binary_op op, const ndk_tensor *x1, const ndk_tensor *x2,
                         const ndk_tensor *out) {
    (void)host, (void)op, (void)x1, (void)x2, (void)out;
    return NDK_INVALID_ARGUMENT;
}

static ndk_status reduce(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    (void)host, (void)op, (void)x, (void)out;
    return NDK_OUT_OF_MEMORY;
}

static ndk_status matmul(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out) {
    (void)host, (void)x1, (void)x2, (void)out;
    return NDK_UNSUPPORTED_DTYPE;
}

static const ndk_table probe = {
    sizeof(ndk_table), PROBE_MAJOR, 7, "probe", "9.8.7", unary, binary, reduce, matmul, NULL, 0, NULL};

NDK_EXPORT ndk_status ndkernels_open(uint32_t abi_major, const ndk_host *host, const ndk_table **table) {
    (void)abi_major, (void)host;
#ifdef PROBE_STATUS
    (void)table, (void)probe;
    return PROBE_STATUS;
#else
    *table = &probe;
    return NDK_OK;
#endif
}
