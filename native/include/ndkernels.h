/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C ABI between the Python binding and a kernel library.
 *
 * A kernel library (one per classifier) exports exactly one symbol, `ndkernels_open`. It is handed a
 * table of host services and answers with a table of functions. Neither side links the other, so a
 * library that was compiled for AVX-512 can lie next to a binding that was compiled for plain x86-64.
 *
 * Rules that hold for every function of the table:
 *   - No exception, longjmp or signal crosses the border; a function answers with an `ndk_status`.
 *   - Tensors are borrowed: a kernel keeps no pointer after it has returned.
 *   - Scratch memory, threads and messages come from the host services, never from libc or libstdc++.
 *   - Functions are reentrant: the same table is used from several threads at once.
 *
 * Versions: NDK_ABI_MAJOR changes when the meaning or the layout of something existing changes, and a
 * library of another major is refused. NDK_ABI_MINOR changes when functions are appended to a table; the
 * side that is newer looks at `struct_size` before it uses what the older side may not have.
 */
#ifndef NDKERNELS_H
#define NDKERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NDK_ABI_MAJOR 2
#define NDK_ABI_MINOR 2

/* Largest number of dimensions of a tensor (NumPy 2 allows 64; 32 was its limit before). */
#define NDK_MAX_NDIM 32

#if defined(_WIN32)
#define NDK_EXPORT __declspec(dllexport)
#else
#define NDK_EXPORT __attribute__((visibility("default")))
#endif

typedef enum ndk_status {
    NDK_OK = 0,
    NDK_INVALID_ARGUMENT = 1, /* shapes, strides or an enumerator that the contract does not allow */
    NDK_UNSUPPORTED_DTYPE = 2,
    NDK_OUT_OF_MEMORY = 3, /* the host's `allocate` gave NULL */
    NDK_ABI_MISMATCH = 4,  /* only from `ndkernels_open` */
} ndk_status;

typedef enum ndk_dtype {
    NDK_FLOAT32 = 1,
    NDK_FLOAT64 = 2,
    NDK_FLOAT16 = 3,  /* IEEE 754 binary16 */
    NDK_BFLOAT16 = 4, /* the upper half of a float32 */
    NDK_BOOL = 5,     /* a byte, 0 or 1 */
    NDK_INT8 = 6,
    NDK_INT32 = 7,
    NDK_INT64 = 8,
} ndk_dtype;

typedef enum ndk_device_type {
    NDK_CPU = 1, /* DLPack's kDLCPU */
} ndk_device_type;

typedef struct ndk_device {
    int32_t type; /* ndk_device_type */
    int32_t id;
} ndk_device;

/*
 * An n-dimensional view. Strides are in BYTES, may be negative, and are 0 along a broadcast axis.
 * `data` is the address of element (0, ..., 0); it and the strides are multiples of the element's size.
 */
typedef struct ndk_tensor {
    void *data;
    const int64_t *shape;   /* ndim entries, each >= 0 */
    const int64_t *strides; /* ndim entries */
    int32_t ndim;           /* 0 .. NDK_MAX_NDIM */
    int32_t dtype;          /* ndk_dtype */
    ndk_device device;
} ndk_tensor;

/* Runs on any thread of the host's pool; `index` is in [0, count). */
typedef void (*ndk_task)(void *argument, int64_t index);

typedef enum ndk_log_level {
    NDK_LOG_DEBUG = 10, /* the numbers of Python's logging */
    NDK_LOG_INFO = 20,
    NDK_LOG_WARNING = 30,
} ndk_log_level;

/* What the host does for a kernel library. It lives as long as the process. */
typedef struct ndk_host {
    uint32_t struct_size; /* sizeof(ndk_host) of the side that made it */
    uint32_t call_size; /* sizeof(ndk_call) of that side; 0 before minor version 2, where a call ends before `packed` */
    void *context;      /* first argument of every service */

    /* Calls task(argument, i) once for each i in [0, count), on up to `num_threads` threads, and returns when all are
       done. A task may call parallel_for itself; the inner one then runs on the calling thread alone. */
    void (*parallel_for)(void *context, int64_t count, ndk_task task, void *argument);

    /* How many threads the next parallel_for may use (>= 1). Work is split by this number. */
    int32_t (*num_threads)(void *context);

    /* `size` bytes aligned to `alignment` (a power of two), or NULL. Contents are undefined. */
    void *(*allocate)(void *context, size_t size, size_t alignment);
    void (*release)(void *context, void *pointer);

    /* `message` is UTF-8 and is copied before the call returns. */
    void (*log)(void *context, int32_t level, const char *message);

    /* Whether CPU and operating system have a feature beyond those of the classifier, in the spelling of /proc/cpuinfo:
       "avx512_bf16". Quick enough to be asked at every call. */
    int32_t (*has_feature)(void *context, const char *name);
} ndk_host;

/*
 * out[i] = op(x[i]). Where the Array API standard has the function, with its special cases; the others as in
 * torch.nn.functional. Those marked with * also take float16 and bfloat16, and compute in float32.
 */
typedef enum ndk_unary_op {
    NDK_COPY = 0, /* the identity, for every dtype: also what the binding uses to copy between layouts */
    NDK_RELU = 1, /* * max(x, 0); NaN stays NaN */
    NDK_EXP = 2,  /* * */
    NDK_NEGATIVE = 3,
    NDK_ABS = 4,
    NDK_SQRT = 5,
    NDK_RSQRT = 6, /* 1 / sqrt(x) */
    NDK_LOG = 7,
    NDK_SIN = 8,
    NDK_COS = 9,
    NDK_TANH = 10,       /* * */
    NDK_ERF = 11,        /* * */
    NDK_SIGMOID = 12,    /* * */
    NDK_LEAKY_RELU = 13, /* * parameters: the slope below 0 */
    NDK_ELU = 14,        /* * parameters: alpha */
    NDK_GELU = 15,       /* * with erf */
    NDK_GELU_TANH = 16,  /* * its approximation with tanh */
    NDK_SILU = 17,       /* * x sigmoid(x) */
    NDK_SOFTPLUS = 18,   /* * parameters: beta, threshold */
    NDK_CLIP = 19,       /* parameters: min, max, which are not NaN; max where min is larger */
} ndk_unary_op;

/* out[i] = op(x1[i], x2[i]), as in the Array API standard */
typedef enum ndk_binary_op {
    NDK_ADD = 0,
    NDK_SUBTRACT = 1,
    NDK_MULTIPLY = 2,
    NDK_DIVIDE = 3,
    NDK_MAXIMUM = 4, /* NaN if either is NaN, as numpy.maximum */
    NDK_MINIMUM = 5,
    NDK_POWER = 6, /* as C's pow */
    NDK_EQUAL = 7, /* from here on, `out` is NDK_BOOL */
    NDK_NOT_EQUAL = 8,
    NDK_LESS = 9,
    NDK_LESS_EQUAL = 10,
    NDK_GREATER = 11,
    NDK_GREATER_EQUAL = 12,
} ndk_binary_op;

typedef enum ndk_reduce_op {
    NDK_SUM = 0,    /* 0 over nothing */
    NDK_PROD = 1,   /* 1 over nothing */
    NDK_MEAN = 2,   /* NaN over nothing */
    NDK_MAX = 3,    /* NaN if there is one; over nothing NDK_INVALID_ARGUMENT */
    NDK_MIN = 4,    /* the same */
    NDK_ARGMAX = 5, /* out is int64: where NDK_MAX finds its result first, counted in the order of C along what goes */
    NDK_ARGMIN = 6,
    NDK_LOGSUMEXP = 7, /* -inf over nothing */
    NDK_ALL = 8,       /* x may be bool too, and out is bool; true over nothing */
    NDK_ANY = 9,
} ndk_reduce_op;

/*
 * Weights that many calls share, and what was made of them once. The weights themselves are among the inputs of each
 * call all the same, so whoever cannot use the rest leaves it alone.
 *
 * `data` is the kernel library's: an operator NAME_pack makes it, which is there for matmul (and for linear, whose
 * weights are matmul's right operand transposed), convolution, lstm and gru. It is called twice: with an int64 output
 * of no dimensions, where it writes how many bytes it wants, 0 where a copy would gain nothing; and with an int8 output
 * of so many bytes, at a multiple of 64, which it fills. It begins with what it was made by and of. A library that is
 * handed something else computes from the weights.
 *
 * `id` is for helpers, which may keep weights in an order of their own under this number: no other weights of the
 * process ever have it. ndk_helper.forget says when they are gone.
 */
typedef struct ndk_packed {
    uint64_t id;
    const void *data; /* NULL where a copy gains nothing */
    int64_t size;     /* bytes */
} ndk_packed;

/*
 * One call of an operator. How many tensors, integers and numbers there are, and what they mean, is said where the
 * operator is implemented; one that was given others answers NDK_INVALID_ARGUMENT. No output overlaps an input or
 * another output.
 */
typedef struct ndk_call {
    const ndk_host *host;
    const ndk_tensor *const *inputs; /* an optional one that is not there is NULL */
    const ndk_tensor *const *outputs;
    const int64_t *integers;
    const double *numbers;
    int32_t input_count;
    int32_t output_count;
    int32_t integer_count;
    int32_t number_count;
    const ndk_packed *packed; /* of the weights among the inputs, or NULL; look at call_size of the host first */
} ndk_call;

typedef struct ndk_operator {
    const char *name;
    ndk_status (*run)(const ndk_call *call);
} ndk_operator;

/* What a helper answers when it is asked for a call: NDK_TAKES, or why it leaves it to the kernel library. */
typedef enum ndk_answer {
    NDK_TAKES = 1,
    NDK_LEAVES = 0,
    NDK_LEAVES_DTYPE = -1,
    NDK_LEAVES_SHAPE = -2,
    NDK_LEAVES_STRIDES = -3,
} ndk_answer;

typedef struct ndk_helper_operator {
    const char *name;
    /* An ndk_answer. Looks at dtypes, shapes and strides only: data may be NULL. Is asked at every call, so it is
     * quick. */
    int32_t (*takes)(const ndk_call *call);
    /* Only for calls that are taken. */
    ndk_status (*run)(const ndk_call *call);
} ndk_helper_operator;

/*
 * A library of somebody else (a BLAS, oneDNN, cuDNN) that computes some calls of some operators in place of the kernel
 * library. Its operators are named and called as those of ndk_table, and "matmul" has the tensors of ndk_table's
 * function: inputs x1 and x2, output out.
 */
typedef struct ndk_helper {
    uint32_t struct_size; /* sizeof(ndk_helper) of the side that made it */
    int32_t operator_count;
    const char *name; /* "openblas" */
    const char *version;
    const ndk_helper_operator *operators; /* in any order */

    /* NULL where nothing is kept between calls; else it says how often what was kept was of use, how often it was not
     * there, how often something was given up for something new, and how much is kept. */
    void (*count)(int64_t (*counters)[4]);

    /* NULL where nothing is kept of ndk_packed.id; else it frees what is. Comes from any thread, also for weights that
     * no call had; no call with them is going on, and none will come. */
    void (*forget)(uint64_t id);
} ndk_helper;

/* The address of a function of a library that the host has opened, or NULL. */
typedef void *(*ndk_find_symbol)(void *library, const char *name);

/*
 * A helper that is compiled into a kernel library, and calls a library of somebody else. The host finds that one and
 * opens it, because it knows where packages are installed.
 */
typedef struct ndk_helper_source {
    const char *name; /* "onednn" */

    /* Called once. `version` is kept. `*helper` lives as long as the process. NDK_INVALID_ARGUMENT: a function is
     * missing; NDK_ABI_MISMATCH: it is a version that this source does not know. */
    ndk_status (*open)(const ndk_host *host, ndk_find_symbol find, void *library, const char *version,
                       const ndk_helper **helper);
} ndk_helper_source;

/*
 * What a kernel library can do. Functions that are worth calling for a handful of elements have a place of their own;
 * all others are operators, which are found by their name. Common to the former: every tensor of a call has the same
 * dtype (but for comparisons, whose `out` is NDK_BOOL, the products of int8, and what ndk_reduce_op says) and is on the
 * CPU; `out` does not overlap an input, except that in `unary` and `binary` it may be the very same view (same data,
 * shape and strides); an empty tensor is allowed everywhere.
 */
typedef struct ndk_table {
    uint32_t struct_size; /* sizeof(ndk_table) of the library */
    uint16_t abi_major;
    uint16_t abi_minor;
    const char *classifier; /* "avx2" */
    const char *version;    /* of the release the library belongs to, "0.1.0" */

    /* All tensors have out's shape: the caller has broadcast them (stride 0). `parameters` is what `op` needs. */
    ndk_status (*unary)(const ndk_host *host, ndk_unary_op op, const double *parameters, const ndk_tensor *x,
                        const ndk_tensor *out);
    ndk_status (*binary)(const ndk_host *host, ndk_binary_op op, const ndk_tensor *x1, const ndk_tensor *x2,
                         const ndk_tensor *out);

    /* `out` has x's number of dimensions; along each reduced axis its extent is 1, elsewhere it equals x's. */
    ndk_status (*reduce)(const ndk_host *host, ndk_reduce_op op, const ndk_tensor *x, const ndk_tensor *out);

    /* x1 (..., m, k), x2 (..., k, n), out (..., m, n) with ndim >= 2 and equal leading dimensions (the caller has
       broadcast them). Any strides, so a transposed view needs no copy. k = 0 gives zeros. float16 and bfloat16 are
       added up as float32; int8 gives int32, exact for k < 2^17. */
    ndk_status (*matmul)(const ndk_host *host, const ndk_tensor *x1, const ndk_tensor *x2, const ndk_tensor *out);

    const ndk_operator *operators; /* in the order of strcmp() of their names */
    int32_t operator_count;

    const ndk_helper_source *helper_source; /* or NULL */
} ndk_table;

/*
 * The one exported symbol. `*table` is set on NDK_OK and lives as long as the library stays loaded, which is until the
 * process ends. NDK_ABI_MISMATCH when `abi_major` is not the library's or `host` is too small for it.
 */
typedef ndk_status (*ndk_open_function)(uint32_t abi_major, const ndk_host *host, const ndk_table **table);
#define NDK_OPEN_SYMBOL "ndkernels_open"

#ifdef __cplusplus
}
#endif
#endif /* NDKERNELS_H */
