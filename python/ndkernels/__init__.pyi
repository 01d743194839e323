"""Types of the public functions."""

from typing import Any, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ndkernels._adaptive_pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
from ndkernels._adaptive_pooling import adaptive_avg_pool1d_backward as adaptive_avg_pool1d_backward
from ndkernels._adaptive_pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
from ndkernels._adaptive_pooling import adaptive_avg_pool2d_backward as adaptive_avg_pool2d_backward
from ndkernels._adaptive_pooling import adaptive_avg_pool3d as adaptive_avg_pool3d
from ndkernels._adaptive_pooling import adaptive_avg_pool3d_backward as adaptive_avg_pool3d_backward
from ndkernels._adaptive_pooling import adaptive_max_pool1d as adaptive_max_pool1d
from ndkernels._adaptive_pooling import adaptive_max_pool2d as adaptive_max_pool2d
from ndkernels._adaptive_pooling import adaptive_max_pool3d as adaptive_max_pool3d
from ndkernels._avg_pooling import avg_pool1d as avg_pool1d
from ndkernels._avg_pooling import avg_pool1d_backward as avg_pool1d_backward
from ndkernels._avg_pooling import avg_pool2d as avg_pool2d
from ndkernels._avg_pooling import avg_pool2d_backward as avg_pool2d_backward
from ndkernels._avg_pooling import avg_pool3d as avg_pool3d
from ndkernels._avg_pooling import avg_pool3d_backward as avg_pool3d_backward
from ndkernels._convolution import conv1d as conv1d
from ndkernels._convolution import conv1d_backward as conv1d_backward
from ndkernels._convolution import conv2d as conv2d
from ndkernels._convolution import conv2d_backward as conv2d_backward
from ndkernels._convolution import conv3d as conv3d
from ndkernels._convolution import conv3d_backward as conv3d_backward
from ndkernels._convolution import conv_transpose2d as conv_transpose2d
from ndkernels._convolution import conv_transpose2d_backward as conv_transpose2d_backward
from ndkernels._convolution import im2col as im2col
from ndkernels._dropout import dropout as dropout
from ndkernels._dropout import dropout_backward as dropout_backward
from ndkernels._explain import Explanation as Explanation
from ndkernels._explain import explain as explain
from ndkernels._extrema import all as all  # noqa: A004 -- the standard's name
from ndkernels._extrema import any as any  # noqa: A004 -- the standard's name
from ndkernels._extrema import argmax as argmax
from ndkernels._extrema import argmin as argmin
from ndkernels._extrema import max as max  # noqa: A004 -- the standard's name
from ndkernels._extrema import min as min  # noqa: A004 -- the standard's name
from ndkernels._global_pooling import global_avg_pool as global_avg_pool
from ndkernels._global_pooling import global_avg_pool_backward as global_avg_pool_backward
from ndkernels._global_pooling import global_max_pool as global_max_pool
from ndkernels._helpers import helpers as helpers
from ndkernels._linear import linear as linear
from ndkernels._linear import linear_backward as linear_backward
from ndkernels._max_pooling import max_pool1d as max_pool1d
from ndkernels._max_pooling import max_pool1d_backward as max_pool1d_backward
from ndkernels._max_pooling import max_pool2d as max_pool2d
from ndkernels._max_pooling import max_pool2d_backward as max_pool2d_backward
from ndkernels._max_pooling import max_pool3d as max_pool3d
from ndkernels._max_pooling import max_pool3d_backward as max_pool3d_backward
from ndkernels._normalization import batch_norm as batch_norm
from ndkernels._normalization import batch_norm_backward as batch_norm_backward
from ndkernels._normalization import group_norm as group_norm
from ndkernels._normalization import layer_norm as layer_norm
from ndkernels._normalization import layer_norm_backward as layer_norm_backward
from ndkernels._normalization import local_response_norm as local_response_norm
from ndkernels._normalization import local_response_norm_backward as local_response_norm_backward
from ndkernels._normalization import rms_norm as rms_norm
from ndkernels._packed import PackedWeights
from ndkernels._prepack import prepack as prepack
from ndkernels._recurrent import gru as gru
from ndkernels._recurrent import gru_backward as gru_backward
from ndkernels._recurrent import lstm as lstm
from ndkernels._recurrent import lstm_backward as lstm_backward
from ndkernels._reductions import logsumexp as logsumexp
from ndkernels._reductions import mean as mean
from ndkernels._reductions import prod as prod
from ndkernels._reductions import std as std
from ndkernels._reductions import sum as sum  # noqa: A004 -- the standard's name
from ndkernels._reductions import var as var
from ndkernels._resample import upsample as upsample
from ndkernels._resample import upsample_backward as upsample_backward
from ndkernels._softmax import log_softmax as log_softmax
from ndkernels._softmax import log_softmax_backward as log_softmax_backward
from ndkernels._softmax import softmax as softmax
from ndkernels._softmax import softmax_backward as softmax_backward
from ndkernels.typing import Array
from variantkit.errors import BetterVariantWarning as BetterVariantWarning
from variantkit.errors import ClassifierError as ClassifierError
from variantkit.errors import ClassifierFallbackWarning as ClassifierFallbackWarning
from variantkit.errors import ClassifierNotInstalledError as ClassifierNotInstalledError
from variantkit.errors import ClassifierNotRunnableError as ClassifierNotRunnableError
from variantkit.errors import HelperError as HelperError
from variantkit.errors import HelperNotInstalledError as HelperNotInstalledError
from variantkit.errors import HelperVersionError as HelperVersionError
from variantkit.errors import NoUsableClassifierError as NoUsableClassifierError
from variantkit.errors import UnknownClassifierError as UnknownClassifierError
from variantkit.errors import VersionMismatchError as VersionMismatchError

__all__ = [
    "BetterVariantWarning",
    "ClassifierError",
    "ClassifierFallbackWarning",
    "ClassifierNotInstalledError",
    "ClassifierNotRunnableError",
    "NoUsableClassifierError",
    "UnknownClassifierError",
    "VersionMismatchError",
    "__version__",
    "abs",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool1d_backward",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "adaptive_avg_pool3d",
    "adaptive_avg_pool3d_backward",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "add",
    "all",
    "any",
    "argmax",
    "argmin",
    "avg_pool1d",
    "avg_pool1d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "avg_pool3d",
    "avg_pool3d_backward",
    "batch_norm",
    "batch_norm_backward",
    "clip",
    "conv1d",
    "conv1d_backward",
    "conv2d",
    "conv2d_backward",
    "conv3d",
    "conv3d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "cos",
    "divide",
    "dropout",
    "dropout_backward",
    "elu",
    "equal",
    "erf",
    "exp",
    "gelu",
    "get_num_threads",
    "global_avg_pool",
    "global_avg_pool_backward",
    "global_max_pool",
    "greater",
    "greater_equal",
    "group_norm",
    "gru",
    "gru_backward",
    "im2col",
    "layer_norm",
    "layer_norm_backward",
    "leaky_relu",
    "less",
    "less_equal",
    "linear",
    "linear_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "log",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "lstm",
    "lstm_backward",
    "matmul",
    "max",
    "max_pool1d",
    "max_pool1d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool3d",
    "max_pool3d_backward",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "prepack",
    "prod",
    "relu",
    "rms_norm",
    "rsqrt",
    "set_num_threads",
    "show_config",
    "sigmoid",
    "silu",
    "sin",
    "softmax",
    "softmax_backward",
    "softplus",
    "sqrt",
    "std",
    "subtract",
    "sum",
    "tanh",
    "upsample",
    "upsample_backward",
    "var",
    "where",
]

__version__: str

_F = TypeVar("_F", np.float32, np.float64)
_S = TypeVar("_S", bound=np.generic)
_Out = TypeVar("_Out", bound=Array)

def get_num_threads() -> int: ...
def set_num_threads(count: int, /) -> None: ...
@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
@overload
def abs(  # noqa: A001 -- the standard's name
    x: NDArray[_F], /, *, out: None = None
) -> NDArray[_F]: ...
@overload
def abs(  # noqa: A001 -- the standard's name
    x: Array, /, *, out: None = None
) -> NDArray[Any]: ...
@overload
def abs(  # noqa: A001 -- the standard's name
    x: Array, /, *, out: _Out
) -> _Out: ...
@overload
def add(x1: NDArray[_F], x2: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def add(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def add(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def clip(
    x: NDArray[_F], /, min: Array | float | None = None, max: Array | float | None = None, *, out: None = None
) -> NDArray[_F]: ...
@overload
def clip(
    x: Array, /, min: Array | float | None = None, max: Array | float | None = None, *, out: None = None
) -> NDArray[Any]: ...
@overload
def clip(x: Array, /, min: Array | float | None = None, max: Array | float | None = None, *, out: _Out) -> _Out: ...
@overload
def cos(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def cos(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def cos(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def divide(x1: NDArray[_F], x2: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def divide(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def divide(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def elu(x: NDArray[_F], /, *, alpha: float = 1.0, out: None = None) -> NDArray[_F]: ...
@overload
def elu(x: Array, /, *, alpha: float = 1.0, out: None = None) -> NDArray[Any]: ...
@overload
def elu(x: Array, /, *, alpha: float = 1.0, out: _Out) -> _Out: ...
@overload
def equal(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[np.bool_]: ...
@overload
def equal(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def erf(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def erf(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def erf(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def exp(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def exp(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def exp(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def gelu(x: NDArray[_F], /, *, approximate: Literal["none", "tanh"] = "none", out: None = None) -> NDArray[_F]: ...
@overload
def gelu(x: Array, /, *, approximate: Literal["none", "tanh"] = "none", out: None = None) -> NDArray[Any]: ...
@overload
def gelu(x: Array, /, *, approximate: Literal["none", "tanh"] = "none", out: _Out) -> _Out: ...
@overload
def greater(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[np.bool_]: ...
@overload
def greater(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def greater_equal(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[np.bool_]: ...
@overload
def greater_equal(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def leaky_relu(x: NDArray[_F], /, *, negative_slope: float = 0.01, out: None = None) -> NDArray[_F]: ...
@overload
def leaky_relu(x: Array, /, *, negative_slope: float = 0.01, out: None = None) -> NDArray[Any]: ...
@overload
def leaky_relu(x: Array, /, *, negative_slope: float = 0.01, out: _Out) -> _Out: ...
@overload
def less(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[np.bool_]: ...
@overload
def less(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def less_equal(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[np.bool_]: ...
@overload
def less_equal(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def log(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def log(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def log(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def maximum(x1: NDArray[_F], x2: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def maximum(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def maximum(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def minimum(x1: NDArray[_F], x2: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def minimum(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def minimum(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def multiply(x1: NDArray[_F], x2: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def multiply(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def multiply(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def negative(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def negative(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def negative(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def not_equal(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[np.bool_]: ...
@overload
def not_equal(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def power(x1: NDArray[_F], x2: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def power(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def power(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def relu(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def relu(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def relu(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def rsqrt(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def rsqrt(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def rsqrt(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def sigmoid(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def sigmoid(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def sigmoid(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def silu(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def silu(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def silu(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def sin(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def sin(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def sin(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def softplus(x: NDArray[_F], /, *, beta: float = 1.0, threshold: float = 20.0, out: None = None) -> NDArray[_F]: ...
@overload
def softplus(x: Array, /, *, beta: float = 1.0, threshold: float = 20.0, out: None = None) -> NDArray[Any]: ...
@overload
def softplus(x: Array, /, *, beta: float = 1.0, threshold: float = 20.0, out: _Out) -> _Out: ...
@overload
def sqrt(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def sqrt(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def sqrt(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def subtract(x1: NDArray[_F], x2: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def subtract(x1: Array, x2: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def subtract(x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def tanh(x: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def tanh(x: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def tanh(x: Array, /, *, out: _Out) -> _Out: ...
@overload
def where(condition: Array, x1: NDArray[_S], x2: NDArray[_S], /, *, out: None = None) -> NDArray[_S]: ...
@overload
def where(condition: Array, x1: Array, x2: Array, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def where(condition: Array, x1: Array, x2: Array, /, *, out: _Out) -> _Out: ...
@overload
def matmul(x1: NDArray[_F], x2: NDArray[_F], /, *, out: None = None) -> NDArray[_F]: ...
@overload
def matmul(x1: Array, x2: Array | PackedWeights, /, *, out: None = None) -> NDArray[Any]: ...
@overload
def matmul(x1: Array, x2: Array | PackedWeights, /, *, out: _Out) -> _Out: ...
