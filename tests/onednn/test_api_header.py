"""What native/kernels/onednn/api.hpp declares is what the headers of oneDNN declare."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
API = ROOT / "native" / "kernels" / "onednn" / "api.hpp"

# The namespace or name in api.hpp, and what the enumerator or macro is called in C.
CONSTANTS = {
    "status::kSuccess": "dnnl_success",
    "status::kOutOfMemory": "dnnl_out_of_memory",
    "data_type::kFloat16": "dnnl_f16",
    "data_type::kBFloat16": "dnnl_bf16",
    "data_type::kFloat32": "dnnl_f32",
    "data_type::kInt32": "dnnl_s32",
    "data_type::kInt8": "dnnl_s8",
    "prop::kInference": "dnnl_forward_inference",
    "alg::kConvolutionDirect": "dnnl_convolution_direct",
    "alg::kPoolingAvgIncludePadding": "dnnl_pooling_avg_include_padding",
    "alg::kPoolingAvgExcludePadding": "dnnl_pooling_avg_exclude_padding",
    "alg::kLrnAcrossChannels": "dnnl_lrn_across_channels",
    "query::kScratchpad": "dnnl_query_scratchpad_md",
    "query::kArgument": "dnnl_query_exec_arg_md",
    "role::kSource": "DNNL_ARG_SRC",
    "role::kFirstState": "DNNL_ARG_SRC_ITER",
    "role::kFirstCell": "DNNL_ARG_SRC_ITER_C",
    "role::kDestination": "DNNL_ARG_DST",
    "role::kLastState": "DNNL_ARG_DST_ITER",
    "role::kLastCell": "DNNL_ARG_DST_ITER_C",
    "role::kWeightsOfState": "DNNL_ARG_WEIGHTS_ITER",
    "role::kWeights": "DNNL_ARG_WEIGHTS",
    "role::kBias": "DNNL_ARG_BIAS",
    "role::kMean": "DNNL_ARG_MEAN",
    "role::kVariance": "DNNL_ARG_VARIANCE",
    "role::kScale": "DNNL_ARG_SCALE",
    "role::kShift": "DNNL_ARG_SHIFT",
    "role::kScratchpad": "DNNL_ARG_SCRATCHPAD",
    "role::kGradSource": "DNNL_ARG_DIFF_SRC",
    "role::kGradDestination": "DNNL_ARG_DIFF_DST",
    "role::kGradWeights": "DNNL_ARG_DIFF_WEIGHTS",
    "kFormatAny": "dnnl_format_tag_any",
    "kScratchpadOfUser": "dnnl_scratchpad_mode_user",
    "kCpu": "dnnl_cpu",
    "kLeftToRight": "dnnl_unidirectional_left2right",
    "kInOrder": "dnnl_stream_in_order",
    "kUseGlobalStats": "dnnl_use_global_stats",
    "kUseScale": "dnnl_use_scale",
    "kUseShift": "dnnl_use_shift",
    "kMostDims": "DNNL_MAX_NDIMS",
}

# An enumeration is passed as the integer that it is; structures are compared by their size and their pointers alike.
COMPARE = """
#include <type_traits>
#include "dnnl.h"
#include "onednn/api.hpp"
using namespace ndk::onednn;
template <typename T, bool = std::is_enum_v<T>> struct Plain { using type = T; };
template <typename T> struct Plain<T, true> { using type = int; };
template <> struct Plain<const dnnl_exec_arg_t *, false> { using type = const ExecArgument *; };
template <> struct Plain<const dnnl_version_t *, false> { using type = const Version *; };
template <typename F> struct Function;
template <typename R, typename... A> struct Function<R (*)(A...)> {
    using type = typename Plain<R>::type (*)(typename Plain<A>::type...);
};
#define SAME(name, result, parameters) \\
    static_assert(std::is_same_v<decltype(Api::name), typename Function<decltype(&dnnl_##name)>::type>, #name);
NDK_ONEDNN_FUNCTIONS(SAME)
static_assert(sizeof(ExecArgument) == sizeof(dnnl_exec_arg_t));
static_assert(offsetof(ExecArgument, memory) == offsetof(dnnl_exec_arg_t, memory));
static_assert(sizeof(Version) == sizeof(dnnl_version_t));
"""


def test_declarations_are_those_of_the_headers(tmp_path: Path, compiler: str) -> None:
    source = tmp_path / "compare.cpp"
    checks = (f"static_assert({ours} == {theirs});" for ours, theirs in CONSTANTS.items())
    source.write_text(COMPARE + "\n".join(checks) + "\n", encoding="ascii")
    include = Path(sysconfig.get_path("data"), "include")
    assert (include / "dnnl.h").is_file(), "onednn-devel-cpu-gomp is not installed here"
    subprocess.run(
        [
            compiler,
            "-x",
            "c++",
            "-std=c++17",
            "-fsyntax-only",
            f"-I{include}",
            f"-I{ROOT / 'native' / 'kernels'}",
            source,
        ],
        check=True,
    )


def test_every_constant_is_compared() -> None:
    text = API.read_text(encoding="utf-8")
    declared = set(re.findall(r"inline constexpr \w+ (k\w+) =", text))
    assert declared == {name.rpartition(":")[2] for name in CONSTANTS}
