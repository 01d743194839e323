/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel library for tests that kills its process: in a kernel, as one does whose label is wrong, or, with
 * CRASH_IN_OPEN, as soon as it is opened. CRASH_CLASSIFIER and CRASH_VERSION are what it says it is.
 */
#include <stddef.h>
#include <stdint.h>

#include "ndkernels.h"

static void die(void) {
#ifdef CRASH_IN_OPEN
    volatile int *volatile nowhere = NULL; /* SIGSEGV */
    *nowhere = 1;
#else
    __builtin_trap(); /* SIGILL on x86-64 */
#endif
}

static ndk_status unary(const ndk_host *host, ndk_unary_op op, const double *parameters, const ndk_tensor *x,
                        const ndk_tensor *out) {
    (void)parameters;
    (void)host, (void)op, (void)x, (void)out;
    die();
    return NDK_OK;
}

static ndk_status binary(const ndk_host *host, ndk_binary_op op, const ndk_tensor *x1, const ndk_tensor *x2,
                         const ndk_tensor *out) {
    (void)host, (void)op, (void)x1, (void)x2, (void)out;
    die();
    return NDK_OK;
}

static ndk_status reduce(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out) {
    (void)host, (void)op, (void)x, (void)out;
    die();
    return NDK_OK;
}

static ndk_status matmul(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out) {
    (void)host, (void)x1, (void)x2, (void)out;
    die();
    return NDK_OK;
}

static const ndk_table crash = {sizeof(ndk_table),
                                NDK_ABI_MAJOR,
                                NDK_ABI_MINOR,
                                CRASH_CLASSIFIER,
                                CRASH_VERSION,
                                unary,
                                binary,
                                reduce,
                                matmul,
                                NULL,
                                0,
                                NULL};

NDK_EXPORT ndk_status ndkernels_open(uint32_t abi_major, const ndk_host *host, const ndk_table **table) {
    (void)abi_major, (void)host;
#ifdef CRASH_IN_OPEN
    die();
#endif
    *table = &crash;
    return NDK_OK;
}
