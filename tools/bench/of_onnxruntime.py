"""The rows of the suite, computed by onnxruntime: a model of one node each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import data

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["prepare", "versions"]

_UNARY = {
    "relu": "Relu",
    "exp": "Exp",
    "log": "Log",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "gelu": "Gelu",
    "erf": "Erf",
}


def versions() -> dict[str, str]:
    """Return what is measured."""
    import onnxruntime

    return {"onnxruntime": onnxruntime.__version__}


def prepare(kind: str, p: dict[str, Any], threads: int) -> Callable[[], object]:
    """Return the call that is timed; raises LookupError where this library has no such function."""
    if p.get("dtype", "float32") not in {"float32", "float64"}:
        raise LookupError(kind)
    x = data.arrays(kind, p)
    weights: list[np.ndarray[Any, Any]] = []
    attributes: dict[str, Any] = {}
    if kind in {"add", "multiply"}:
        operator = {"add": "Add", "multiply": "Mul"}[kind]
    elif kind in _UNARY:
        operator = _UNARY[kind]
    elif kind == "matmul":
        operator = "MatMul"
    elif kind == "softmax":
        operator, attributes = "Softmax", {"axis": -1}
    elif kind == "layer_norm":
        operator, attributes, x, weights = "LayerNormalization", {"axis": -1, "epsilon": 1e-5}, x[:1], x[1:]
    elif kind == "batch_norm":
        # The order of torch's arguments is mean, variance, scale, bias; ONNX has scale, bias, mean, variance.
        operator, attributes, x, weights = "BatchNormalization", {"epsilon": 1e-5}, x[:1], [*x[3:5], *x[1:3]]
    elif kind in {"max_pool2d", "avg_pool2d"}:
        operator = {"max_pool2d": "MaxPool", "avg_pool2d": "AveragePool"}[kind]
        attributes = {"kernel_shape": [p["kernel"]] * 2, "strides": [p["stride"]] * 2, "pads": [p["padding"]] * 4}
    elif kind == "local_response_norm":
        operator, attributes = "LRN", {"size": p["window"], "alpha": 1e-4, "beta": 0.75, "bias": 1.0}
    elif kind == "conv2d":
        operator, x, weights = "Conv", x[:1], x[1:]
        attributes = {"strides": [p["stride"]] * 2, "pads": [p["padding"]] * 4}
    elif kind == "lstm":
        operator, attributes = "LSTM", {"hidden_size": p["hidden"]}
        # torch's gates are i, f, g, o; ONNX has i, o, f, c.
        order = np.r_[0:1, 3:4, 1:2, 2:3]
        w, r, b, c = (each.reshape(4, p["hidden"], -1)[order].reshape(1, 4 * p["hidden"], -1) for each in x[1:])
        x, weights = x[:1], [w, r, np.concatenate([b, c], axis=1)[:, :, 0]]
    else:
        raise LookupError(kind)
    return _session(operator, attributes, x, weights, threads)


def _session(
    operator: str,
    attributes: dict[str, Any],
    x: list[np.ndarray[Any, Any]],
    weights: list[np.ndarray[Any, Any]],
    threads: int,
) -> Callable[[], object]:

    import onnxruntime
    from onnx import helper, numpy_helper

    names = [f"x{i}" for i in range(len(x))]
    constants = [f"w{i}" for i in range(len(weights))]
    kind = helper.np_dtype_to_tensor_dtype(x[0].dtype)
    graph = helper.make_graph(
        [helper.make_node(operator, [*names, *constants], ["out"], **attributes)],
        operator,
        [helper.make_tensor_value_info(name, kind, each.shape) for name, each in zip(names, x, strict=True)],
        [helper.make_tensor_value_info("out", kind, None)],
        [
            numpy_helper.from_array(np.ascontiguousarray(each), name)
            for name, each in zip(constants, weights, strict=True)
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        raise LookupError(operator) from error
    binding = session.io_binding()  # the inputs are bound once; only the computation and its output are timed
    for name, each in zip(names, x, strict=True):
        binding.bind_cpu_input(name, each)
    binding.bind_output("out")
    return lambda: session.run_with_iobinding(binding)
