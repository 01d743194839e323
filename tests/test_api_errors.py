"""Every refusal names the argument, what it got, what is accepted and what to do; nothing is converted silently."""

from __future__ import annotations

import array

import numpy as np
import pytest

import ndkernels

ONE_ARRAY = ("relu", "exp", "sum", "abs", "log", "gelu", "softplus")
HALF_TOO = ("relu", "exp", "gelu", "softplus")
TWO_ARRAYS = ("add", "subtract", "multiply", "divide", "maximum", "matmul", "power", "less")


def refusals(argument: object) -> list[tuple[str, str, tuple[object, ...]]]:
    """Every function with `argument` in each of its places."""
    good = np.ones(3, "float32")
    calls: list[tuple[str, str, tuple[object, ...]]] = [(name, "x", (argument,)) for name in ONE_ARRAY]
    for name in TWO_ARRAYS:
        calls += [(name, "x1", (argument, good)), (name, "x2", (good, argument))]
    return calls


@pytest.mark.parametrize("argument", [1, 1.5, True, None, "text", [1.0, 2.0], (1.0,), {}, object(), 2j], ids=repr)
def test_what_is_no_array_is_not_converted(argument: object) -> None:
    for name, parameter, arguments in refusals(argument):
        with pytest.raises(
            TypeError, match=rf"^{parameter}: got {type(argument).__name__}; accepted are .*numpy\.asarray\("
        ):
            getattr(ndkernels, name)(*arguments)


@pytest.mark.parametrize(
    "dtype", ["int8", "int32", "int64", "uint8", "bool", "float16", "complex64", ">f4", ">f8", "longdouble", "O", "S3"]
)
def test_other_dtypes_are_refused_by_name(dtype: str) -> None:
    argument = np.zeros(3, dtype)
    for name, parameter, arguments in refusals(argument):
        if name in HALF_TOO and dtype == "float16":
            continue
        with pytest.raises(TypeError) as caught:
            getattr(ndkernels, name)(*arguments)
        if name == "matmul" and dtype in {"int8", "float16"}:
            assert str(caught.value).startswith("x1 and x2: have dtypes ")
            continue
        accepted = "float32 and float64"
        if name == "matmul":
            accepted = "float32, float64, float16, bfloat16 and int8"
        elif name in HALF_TOO:
            accepted = "float32, float64, float16 and bfloat16"
        text = f"{parameter}: dtype {argument.dtype} is not supported; accepted are {accepted}"
        assert str(caught.value).startswith(text)


@pytest.mark.parametrize("dtype", ["datetime64[s]", [("a", "f4"), ("b", "f4")]], ids=str)
def test_what_a_buffer_cannot_describe_is_refused_by_its_dtype(dtype: object) -> None:
    argument = np.zeros(3, dtype)
    with pytest.raises(TypeError) as caught:
        ndkernels.relu(argument)
    assert str(caught.value).startswith(f"x: dtype {argument.dtype} is not supported")


def test_bytes_are_refused() -> None:
    with pytest.raises(TypeError, match=r"x: dtype B is not supported"):
        ndkernels.relu(b"12345678")


def test_a_released_memoryview_is_refused_with_its_reason() -> None:
    view = memoryview(array.array("d", [1.0]))
    view.release()
    with pytest.raises(ValueError, match=r"x: its buffer could not be read: .*released") as caught:
        ndkernels.relu(view)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("name", TWO_ARRAYS)
def test_two_dtypes_are_not_promoted(name: str) -> None:
    with pytest.raises(TypeError, match=r"x1 and x2: have dtypes float32 and float64, and nothing is converted"):
        getattr(ndkernels, name)(np.ones(3, "float32"), np.ones(3))


@pytest.mark.parametrize("name", [name for name in TWO_ARRAYS if name != "matmul"])
def test_shapes_that_do_not_broadcast_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"x1 and x2: shapes \(2, 3\) and \(4,\) cannot be broadcast together"):
        getattr(ndkernels, name)(np.ones((2, 3)), np.ones(4))


def test_more_than_32_dimensions_are_refused() -> None:
    argument = memoryview(np.ones(1)).cast("B").cast("d", (1,) * 33)
    with pytest.raises(ValueError, match=r"x: has 33 dimensions; accepted are at most 32. Reshape it first"):
        ndkernels.relu(argument)


def test_broadcasting_does_not_make_more_than_32_dimensions() -> None:
    x = np.ones((1,) * 32)
    assert ndkernels.add(x, np.ones(3)).ndim == 32


def test_elements_that_are_not_aligned_are_refused() -> None:
    shifted = np.frombuffer(bytearray(33), "f8", count=4, offset=1)
    field = np.zeros(4, [("pad", "u1"), ("value", "f4")])["value"]
    for argument, bytes_ in ((shifted, 8), (field, 4)):
        with pytest.raises(ValueError, match=rf"x: its elements do not lie at multiples of {bytes_} bytes"):
            ndkernels.relu(argument)
    assert ndkernels.relu(field.copy()).shape == (4,)
    assert ndkernels.relu(shifted[:0]).shape == (0,)


def test_a_stride_that_is_never_taken_may_be_anything() -> None:
    one = np.lib.stride_tricks.as_strided(np.ones(1), (1, 1), (3, 5))
    np.testing.assert_array_equal(ndkernels.add(one, one), [[2.0]])


@pytest.mark.parametrize("name", [*ONE_ARRAY, *TWO_ARRAYS])
def test_arrays_are_positional_and_options_are_keywords(name: str) -> None:
    function, x = getattr(ndkernels, name), np.ones(3)
    arrays = (x,) if name in ONE_ARRAY else (x, x)
    names = ("x",) if name in ONE_ARRAY else ("x1", "x2")
    with pytest.raises(TypeError, match="positional"):
        function(**dict(zip(names, arrays, strict=True)))
    with pytest.raises(TypeError, match="positional argument"):
        function(*arrays, None)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        function(*arrays, where=True)
