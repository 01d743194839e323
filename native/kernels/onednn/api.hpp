// SPDX-License-Identifier: Apache-2.0
//
// The part of oneDNN 3's C interface that is used. It is declared here and looked up in a library that was opened at
// run time, so that building needs nothing of oneDNN and importing needs none. tests/onednn compares it with the
// headers. Source: https://uxlfoundation.github.io/oneDNN/
#ifndef NDK_ONEDNN_API_HPP
#define NDK_ONEDNN_API_HPP

#include <cstddef>
#include <cstdint>

struct dnnl_engine;
struct dnnl_stream;
struct dnnl_memory;
struct dnnl_memory_desc;
struct dnnl_primitive;
struct dnnl_primitive_desc;
struct dnnl_primitive_attr;

namespace ndk::onednn {

using Engine = dnnl_engine *;
using Stream = dnnl_stream *;
using Memory = dnnl_memory *;
using Desc = dnnl_memory_desc *;
using ConstDesc = const dnnl_memory_desc *;
using Primitive = dnnl_primitive *;
using PrimitiveDesc = dnnl_primitive_desc *;
using Attributes = dnnl_primitive_attr *;

inline constexpr int kMostDims = 12;
using Dims = std::int64_t[kMostDims];

struct ExecArgument {
    int role;
    Memory memory;
};

struct Version {
    int major, minor, patch;
    const char *hash;
    unsigned cpu_runtime, gpu_runtime;
};

// Enumerators, by what their type is in C
namespace status {
inline constexpr int kSuccess = 0;
inline constexpr int kOutOfMemory = 1;
} // namespace status
namespace data_type {
inline constexpr int kFloat16 = 1;
inline constexpr int kBFloat16 = 2;
inline constexpr int kFloat32 = 3;
inline constexpr int kInt32 = 4;
inline constexpr int kInt8 = 5;
} // namespace data_type
namespace prop {
inline constexpr int kInference = 96;
} // namespace prop
namespace alg {
inline constexpr int kConvolutionDirect = 1;
inline constexpr int kPoolingAvgIncludePadding = 767;
inline constexpr int kPoolingAvgExcludePadding = 1023;
inline constexpr int kLrnAcrossChannels = 2815;
} // namespace alg
namespace query {
inline constexpr int kScratchpad = 136;
inline constexpr int kArgument = 255; // the index is the role
} // namespace query
namespace role {
inline constexpr int kSource = 1;
inline constexpr int kFirstState = 2;
inline constexpr int kFirstCell = 3;
inline constexpr int kDestination = 17;
inline constexpr int kLastState = 18;
inline constexpr int kLastCell = 19;
inline constexpr int kWeights = 33;
inline constexpr int kWeightsOfState = 34;
inline constexpr int kBias = 41;
inline constexpr int kMean = 49;
inline constexpr int kVariance = 50;
inline constexpr int kScale = 51;
inline constexpr int kShift = 52;
inline constexpr int kScratchpad = 80;
inline constexpr int kGradSource = 129;
inline constexpr int kGradDestination = 145;
inline constexpr int kGradWeights = 161;
} // namespace role
inline constexpr int kFormatAny = 1;
inline constexpr int kScratchpadOfUser = 1;
inline constexpr int kCpu = 1;
inline constexpr int kLeftToRight = 1;
inline constexpr unsigned kInOrder = 1;
inline constexpr unsigned kUseGlobalStats = 1;
inline constexpr unsigned kUseScale = 2;
inline constexpr unsigned kUseShift = 4;

// X(name without "dnnl_", result, parameters)
#define NDK_ONEDNN_FUNCTIONS(X)                                                                                        \
    X(version, const Version *, (void))                                                                                \
    X(engine_create, int, (Engine *, int, std::size_t))                                                                \
    X(stream_create, int, (Stream *, Engine, unsigned))                                                                \
    X(stream_wait, int, (Stream))                                                                                      \
    X(stream_destroy, int, (Stream))                                                                                   \
    X(memory_desc_create_with_strides, int, (Desc *, int, const Dims, int, const Dims))                                \
    X(memory_desc_create_with_tag, int, (Desc *, int, const Dims, int, int))                                           \
    X(memory_desc_clone, int, (Desc *, ConstDesc))                                                                     \
    X(memory_desc_equal, int, (ConstDesc, ConstDesc))                                                                  \
    X(memory_desc_get_size, std::size_t, (ConstDesc))                                                                  \
    X(memory_desc_destroy, int, (Desc))                                                                                \
    X(memory_create, int, (Memory *, ConstDesc, Engine, void *))                                                       \
    X(memory_destroy, int, (Memory))                                                                                   \
    X(primitive_attr_create, int, (Attributes *))                                                                      \
    X(primitive_attr_set_scratchpad_mode, int, (Attributes, int))                                                      \
    X(primitive_attr_destroy, int, (Attributes))                                                                       \
    X(primitive_desc_query_md, ConstDesc, (const dnnl_primitive_desc *, int, int))                                     \
    X(primitive_desc_destroy, int, (PrimitiveDesc))                                                                    \
    X(primitive_create, int, (Primitive *, const dnnl_primitive_desc *))                                               \
    X(primitive_execute, int, (const dnnl_primitive *, Stream, int, const ExecArgument *))                             \
    X(primitive_destroy, int, (Primitive))                                                                             \
    X(reorder_primitive_desc_create, int,                                                                              \
      (PrimitiveDesc *, ConstDesc, Engine, ConstDesc, Engine, const dnnl_primitive_attr *))                            \
    X(matmul_primitive_desc_create, int,                                                                               \
      (PrimitiveDesc *, Engine, ConstDesc, ConstDesc, ConstDesc, ConstDesc, const dnnl_primitive_attr *))              \
    X(convolution_forward_primitive_desc_create, int,                                                                  \
      (PrimitiveDesc *, Engine, int, int, ConstDesc, ConstDesc, ConstDesc, ConstDesc, const Dims, const Dims,          \
       const Dims, const Dims, const dnnl_primitive_attr *))                                                           \
    X(convolution_backward_data_primitive_desc_create, int,                                                            \
      (PrimitiveDesc *, Engine, int, ConstDesc, ConstDesc, ConstDesc, const Dims, const Dims, const Dims, const Dims,  \
       const dnnl_primitive_desc *, const dnnl_primitive_attr *))                                                      \
    X(convolution_backward_weights_primitive_desc_create, int,                                                         \
      (PrimitiveDesc *, Engine, int, ConstDesc, ConstDesc, ConstDesc, ConstDesc, const Dims, const Dims, const Dims,   \
       const Dims, const dnnl_primitive_desc *, const dnnl_primitive_attr *))                                          \
    X(pooling_forward_primitive_desc_create, int,                                                                      \
      (PrimitiveDesc *, Engine, int, int, ConstDesc, ConstDesc, const Dims, const Dims, const Dims, const Dims,        \
       const Dims, const dnnl_primitive_attr *))                                                                       \
    X(layer_normalization_forward_primitive_desc_create, int,                                                          \
      (PrimitiveDesc *, Engine, int, ConstDesc, ConstDesc, ConstDesc, float, unsigned, const dnnl_primitive_attr *))   \
    X(batch_normalization_forward_primitive_desc_create, int,                                                          \
      (PrimitiveDesc *, Engine, int, ConstDesc, ConstDesc, float, unsigned, const dnnl_primitive_attr *))              \
    X(lstm_forward_primitive_desc_create, int,                                                                         \
      (PrimitiveDesc *, Engine, int, int, ConstDesc, ConstDesc, ConstDesc, ConstDesc, ConstDesc, ConstDesc, ConstDesc, \
       ConstDesc, ConstDesc, ConstDesc, ConstDesc, unsigned, const dnnl_primitive_attr *))                             \
    X(lrn_forward_primitive_desc_create, int,                                                                          \
      (PrimitiveDesc *, Engine, int, int, ConstDesc, ConstDesc, std::int64_t, float, float, float,                     \
       const dnnl_primitive_attr *))

struct Api {
#define NDK_ONEDNN_FIELD(name, result, parameters) result(*name) parameters;
    NDK_ONEDNN_FUNCTIONS(NDK_ONEDNN_FIELD)
#undef NDK_ONEDNN_FIELD
    // Of the OpenMP runtime that oneDNN computes with; for the calling thread.
    int (*omp_get_max_threads)();
    void (*omp_set_num_threads)(int);
    Engine engine;
};

// Filled once, before anything else of this folder is called.
extern Api api;

} // namespace ndk::onednn
#endif // NDK_ONEDNN_API_HPP
