// SPDX-License-Identifier: Apache-2.0
#include "blas.hpp"

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <stdexcept>

#include "blas_product.hpp"
#include "fork_gate.hpp"
#include "helpers.hpp"
#include "shared_library.hpp"

namespace ndkernels {
namespace {

// Source: https://www.netlib.org/blas/blast-forum/cinterface.pdf; both libraries have these with 64-bit integers.
constexpr int row_major = 101;
constexpr int column_major = 102;
constexpr int as_it_is = 111;
constexpr int transposed = 112;

template <typename T>
using Gemm = void (*)(int order, int transpose1, int transpose2, std::int64_t m, std::int64_t n, std::int64_t k,
                      T alpha, const T *x1, std::int64_t leading1, const T *x2, std::int64_t leading2, T beta, T *out,
                      std::int64_t leading_out);

enum class Which { openblas, mkl };

struct Functions {
    Gemm<float> sgemm = nullptr;
    Gemm<double> dgemm = nullptr;
    void (*set_threads)(int) = nullptr;      // of the process
    int (*set_local_threads)(int) = nullptr; // of the calling thread; returns the number before
    const char *version = nullptr;
};

// Each library has its own, because a helper's functions are given nothing to tell them apart.
template <Which which>
Functions functions;

// The library computes with as many threads as the kernels would, for the time of a call where it can be limited to
// that.
template <Which which>
class Threads {
public:
    explicit Threads(const ndk_host &host) {
        const int count = host.num_threads(host.context);
        if (functions<which>.set_local_threads != nullptr) {
            before_ = functions<which>.set_local_threads(count);
        } else {
            functions<which>.set_threads(count);
        }
    }
    ~Threads() {
        if (functions<which>.set_local_threads != nullptr) {
            functions<which>.set_local_threads(before_);
        }
    }
    Threads(const Threads &) = delete;
    Threads &operator=(const Threads &) = delete;

private:
    int before_ = 0;
};

template <typename T>
void multiply(const ndk_call &call, const BlasProduct &product, Gemm<T> gemm) {
    const ndk_tensor *const tensors[] = {call.inputs[0], call.inputs[1], call.outputs[0]};
    char *data[3];
    for (int i = 0; i < 3; ++i) {
        data[i] = static_cast<char *>(tensors[i]->data);
    }
    std::int64_t index[NDK_MAX_NDIM] = {};
    for (;;) {
        gemm(product.out.rows ? row_major : column_major, product.x1.rows == product.out.rows ? as_it_is : transposed,
             product.x2.rows == product.out.rows ? as_it_is : transposed, product.m, product.n, product.k, T{1},
             reinterpret_cast<const T *>(data[0]), product.x1.leading, reinterpret_cast<const T *>(data[1]),
             product.x2.leading, T{0}, reinterpret_cast<T *>(data[2]), product.out.leading);
        std::int32_t axis = product.stack_ndim - 1;
        for (; axis >= 0; --axis) {
            const bool more = ++index[axis] < tensors[2]->shape[axis];
            const std::int64_t steps = more ? 1 : 1 - tensors[2]->shape[axis];
            for (int i = 0; i < 3; ++i) {
                data[i] += steps * tensors[i]->strides[axis];
            }
            if (more) {
                break;
            }
            index[axis] = 0;
        }
        if (axis < 0) {
            return;
        }
    }
}

std::int32_t takes_matmul(const ndk_call *call) {
    BlasProduct product;
    return read_blas_product(*call, product);
}

template <Which which>
ndk_status run_matmul(const ndk_call *call) {
    BlasProduct product;
    if (read_blas_product(*call, product) != NDK_TAKES) {
        return NDK_INVALID_ARGUMENT;
    }
    const Threads<which> threads(*call->host);
    if (call->inputs[0]->dtype == NDK_FLOAT32) {
        multiply(*call, product, functions<which>.sgemm);
    } else {
        multiply(*call, product, functions<which>.dgemm);
    }
    return NDK_OK;
}

template <typename Function>
void find(void *handle, const std::string &path, const char *symbol, Function &function) {
    function = reinterpret_cast<Function>(find_symbol(handle, symbol));
    if (function == nullptr) {
        throw LibraryError(path + ": has no function " + symbol);
    }
}

// MKL ends the process where it misses the OpenMP runtime that it takes by default, Intel's, which its package
// requires. GNU's is never chosen here: after fork() it waits for threads that the child does not have.
void choose_threading(void *handle, const std::string &path) {
    if (std::getenv("MKL_THREADING_LAYER") != nullptr) {
        return;
    }
    constexpr int intel = 0;
    constexpr int sequential = 1;
    int (*set_layer)(int) = nullptr;
    find(handle, path, "MKL_Set_Threading_Layer", set_layer);
    const std::string runtime = path.substr(0, path.rfind('/')) + "/libiomp5.so";
    set_layer(access(runtime.c_str(), R_OK) == 0 ? intel : sequential);
}

template <Which which>
void open_and_register(const char *name, const std::string &path, const std::string &version) {
    Functions &found = functions<which>;
    if (found.version != nullptr) {
        return;
    }
    void *handle = open_shared(path); // never closed, not even when it is refused: its code has been run
    Functions fresh;
    if (which == Which::openblas) {
        find(handle, path, "scipy_cblas_sgemm64_", fresh.sgemm);
        find(handle, path, "scipy_cblas_dgemm64_", fresh.dgemm);
        find(handle, path, "scipy_openblas_set_num_threads64_", fresh.set_threads);
    } else {
        find(handle, path, "cblas_sgemm_64", fresh.sgemm);
        find(handle, path, "cblas_dgemm_64", fresh.dgemm);
        find(handle, path, "MKL_Set_Num_Threads_Local", fresh.set_local_threads);
        choose_threading(handle, path);
        int (*get_max_threads)() = nullptr;
        find(handle, path, "MKL_Get_Max_Threads", get_max_threads);
        get_max_threads(); // starts its OpenMP runtime, which registers its handlers for fork() then
    }
    guard_forks();
    fresh.version = (new std::string(version))->c_str(); // threads may still ask for it while the process ends
    found = fresh;
    static const ndk_helper_operator operators[] = {{"matmul", takes_matmul, run_matmul<which>}};
    static const ndk_helper helper = {sizeof(ndk_helper), 1, name, found.version, operators, nullptr, nullptr};
    register_helper(helper);
}

} // namespace

void open_blas(const std::string &name, const std::string &path, const std::string &version) {
    static std::mutex mutex;
    const std::lock_guard<std::mutex> lock(mutex);
    if (name == "openblas") {
        open_and_register<Which::openblas>("openblas", path, version);
    } else if (name == "mkl") {
        open_and_register<Which::mkl>("mkl", path, version);
    } else {
        throw std::out_of_range(name);
    }
}

} // namespace ndkernels
