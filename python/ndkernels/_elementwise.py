"""Functions of single elements, with the names of the Array API standard or of torch.nn.functional.

They are functions of the C API: what is written here is what they are called and what their documentation says. What
they compute is in the kernel library that was loaded; checking arguments is in the binding. Small calls hold the GIL,
because giving it back would cost more than they do; larger ones run without it.
"""

from __future__ import annotations

from ndkernels import _binding

__all__ = [
    "abs",
    "add",
    "clip",
    "cos",
    "divide",
    "elu",
    "equal",
    "erf",
    "exp",
    "gelu",
    "greater",
    "greater_equal",
    "leaky_relu",
    "less",
    "less_equal",
    "log",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "relu",
    "rsqrt",
    "sigmoid",
    "silu",
    "sin",
    "softplus",
    "sqrt",
    "subtract",
    "tanh",
    "where",
]

_TWO = """{summary}

Parameters
----------
x1, x2
    Arrays of one dtype, float32 or float64, whose shapes broadcast as in NumPy: NumPy arrays and anything else in CPU
    memory with `__dlpack__` or the buffer protocol. They are read where they lie, nothing is copied.
out
    Where the result goes: a writable array of the result's shape and dtype. It may share memory with the inputs.

Returns
-------
`out`, or a new NumPy array of {result}

Raises
------
TypeError
    for an object that is no array, a masked array, another dtype, and two dtypes: nothing is converted silently.
ValueError
    for shapes that do not broadcast, another device, elements that are not aligned, more than 32 dimensions, and an
    `out` that is read-only, of another shape or self-overlapping.

Examples
--------
>>> import numpy as np
{example}
"""

_ONE = """{summary}

Parameters
----------
x
    An array of {dtypes} of any shape: a NumPy array or anything else in CPU memory with `__dlpack__` or the buffer
    protocol. It is read where it lies, nothing is copied.
{options}out
    Where the result goes: a writable array of x's shape and dtype. It may share memory with `x`.

Returns
-------
`out`, or a new NumPy array of x's dtype and shape.{result}

Raises
------
TypeError
    for an object that is no array, a masked array, {errors}another dtype.
ValueError
    for another device, elements that are not aligned, more than 32 dimensions, and an `out` that is read-only, of
    another shape or self-overlapping.

Examples
--------
>>> import numpy as np
{example}
"""

_FLOATS = "float32 or float64"
_ACTIVATION = "float32, float64, float16 or bfloat16 (the last two are computed in float32)"


def _two(name: str, summary: str, example: str, result: str = "") -> _binding.Function:
    text = f"the inputs' dtype and broadcast shape.{result}"
    doc = _TWO.format(summary=summary, result=text, example=example)
    return _binding.elementwise(name, "(x1, x2, /, *, out=None)", doc, __name__)


def _comparison(name: str, summary: str, example: str) -> _binding.Function:
    doc = _TWO.format(summary=summary, result="bool and the broadcast shape.", example=example)
    return _binding.elementwise(name, "(x1, x2, /, *, out=None)", doc, __name__)


def _one(
    name: str,
    summary: str,
    example: str,
    result: str = "",
    *,
    dtypes: str = _FLOATS,
    signature: str = "",
    options: str = "",
) -> _binding.Function:
    errors = "an option that is no number, and " if options else "and "
    doc = _ONE.format(
        summary=summary, dtypes=dtypes, options=options, result=result and f" {result}", errors=errors, example=example
    )
    return _binding.elementwise(name, f"(x, /, *, {signature}out=None)", doc, __name__)


add = _two(
    "add",
    "Add two arrays, element by element.",
    """>>> add(np.float32([[1], [2]]), np.float32([3, 4]))
array([[4., 5.],
       [5., 6.]], dtype=float32)""",
)
subtract = _two(
    "subtract",
    "Subtract `x2` from `x1`, element by element.",
    """>>> subtract(np.float32([[1], [2]]), np.float32([3, 4]))
array([[-2., -3.],
       [-1., -2.]], dtype=float32)""",
)
multiply = _two(
    "multiply",
    "Multiply two arrays, element by element.",
    """>>> multiply(np.float32([[1], [2]]), np.float32([3, 4]))
array([[3., 4.],
       [6., 8.]], dtype=float32)""",
)
divide = _two(
    "divide",
    "Divide `x1` by `x2`, element by element.",
    """>>> divide(np.float32([[1], [2]]), np.float32([4, 8]))
array([[0.25 , 0.125],
       [0.5  , 0.25 ]], dtype=float32)""",
    " Division by zero gives an infinity or NaN, as IEEE 754 says, and no\nwarning.",
)
power = _two(
    "power",
    "Raise `x1` to the power of `x2`, element by element.",
    """>>> power(np.float64([2, 3]), np.float64([10, -1]))
array([1.02400000e+03, 3.33333333e-01])""",
    " Special cases are those of the standard: x**0 and 1**y\nare 1 even for NaN, and a negative number to a power that is no integer is NaN.",
)
maximum = _two(
    "maximum",
    "Take the larger of two arrays, element by element.",
    """>>> maximum(np.float32([[1], [2]]), np.float32([3, 4]))
array([[3., 4.],
       [3., 4.]], dtype=float32)""",
    " It is NaN where one of the inputs is.",
)
minimum = _two(
    "minimum",
    "Take the smaller of two arrays, element by element.",
    """>>> minimum(np.float32([[1], [2]]), np.float32([1.5, 4]))
array([[1. , 1. ],
       [1.5, 2. ]], dtype=float32)""",
    " It is NaN where one of the inputs is.",
)
equal = _comparison(
    "equal",
    "Tell where two arrays are equal; NaN equals nothing.",
    """>>> equal(np.float32([1, 2]), np.float32([1, 3]))
array([ True, False])""",
)
not_equal = _comparison(
    "not_equal",
    "Tell where two arrays differ; NaN differs from everything.",
    """>>> not_equal(np.float32([1, 2]), np.float32([1, 3]))
array([False,  True])""",
)
less = _comparison(
    "less",
    "Tell where `x1` is smaller than `x2`.",
    """>>> less(np.float32([1, 2]), np.float32([1, 3]))
array([False,  True])""",
)
less_equal = _comparison(
    "less_equal",
    "Tell where `x1` is not larger than `x2`; false for NaN.",
    """>>> less_equal(np.float32([1, 4]), np.float32([1, 3]))
array([ True, False])""",
)
greater = _comparison(
    "greater",
    "Tell where `x1` is larger than `x2`.",
    """>>> greater(np.float32([1, 4]), np.float32([1, 3]))
array([False,  True])""",
)
greater_equal = _comparison(
    "greater_equal",
    "Tell where `x1` is not smaller than `x2`; false for NaN.",
    """>>> greater_equal(np.float32([1, 2]), np.float32([1, 3]))
array([ True, False])""",
)
negative = _one(
    "negative",
    "Change the sign of each element.",
    """>>> negative(np.float64([1, -2]))
array([-1.,  2.])""",
)
abs = _one(  # noqa: A001 -- the standard's name
    "abs",
    "Take the magnitude of each element.",
    """>>> abs(np.float64([1, -2]))
array([1., 2.])""",
)
sqrt = _one(
    "sqrt",
    "Take the square root of each element.",
    """>>> sqrt(np.float64([4, 9]))
array([2., 3.])""",
    "It is NaN where x is negative, and -0 for -0.",
)
rsqrt = _one(
    "rsqrt",
    "Take 1 / sqrt(x) of each element, as torch.rsqrt.",
    """>>> rsqrt(np.float64([4, 16]))
array([0.5 , 0.25])""",
    "It is infinite where x is 0, and NaN where\nx is negative.",
)
exp = _one(
    "exp",
    "Raise e to the power of each element.",
    """>>> exp(np.float64([0, 1]))
array([1.        , 2.71828183])""",
    "Overflow gives infinity, and no warning.",
    dtypes=_ACTIVATION,
)
log = _one(
    "log",
    "Take the natural logarithm of each element.",
    """>>> log(np.float64([1, 10]))
array([0.        , 2.30258509])""",
    "It is -infinity where x is 0, and NaN where\nx is negative.",
)
sin = _one(
    "sin",
    "Take the sine of each element, in radians.",
    """>>> sin(np.float64([0, 1]))
array([0.        , 0.84147098])""",
    "It is right for large numbers, too, and NaN\nfor infinities.",
)
cos = _one(
    "cos",
    "Take the cosine of each element, in radians.",
    """>>> cos(np.float64([0, 1]))
array([1.        , 0.54030231])""",
    "It is right for large numbers, too, and NaN\nfor infinities.",
)
tanh = _one(
    "tanh",
    "Take the hyperbolic tangent of each element.",
    """>>> tanh(np.float64([0, 1]))
array([0.        , 0.76159416])""",
    dtypes=_ACTIVATION,
)
erf = _one(
    "erf",
    "Take the error function of each element, as torch.erf.",
    """>>> erf(np.float64([0, 1]))
array([0.        , 0.84270079])""",
    dtypes=_ACTIVATION,
)
sigmoid = _one(
    "sigmoid",
    "Take 1 / (1 + exp(-x)) of each element, as torch.nn.functional.sigmoid.",
    """>>> sigmoid(np.float64([0, 1]))
array([0.5       , 0.73105858])""",
    dtypes=_ACTIVATION,
)
relu = _one(
    "relu",
    "Replace what is negative by 0: max(x, 0), element by element, as torch.nn.functional.relu.",
    """>>> relu(np.float64([-1, 0, 2]))
array([0., 0., 2.])""",
    "NaN stays NaN.",
    dtypes=_ACTIVATION,
)
leaky_relu = _one(
    "leaky_relu",
    "Multiply what is negative by a small number, as torch.nn.functional.leaky_relu.",
    """>>> leaky_relu(np.float64([-1, 0, 2]))
array([-0.01,  0.  ,  2.  ])""",
    dtypes=_ACTIVATION,
    signature="negative_slope=0.01, ",
    options="negative_slope\n    The number.\n",
)
elu = _one(
    "elu",
    "Replace what is negative by alpha (exp(x) - 1), as torch.nn.functional.elu.",
    """>>> elu(np.float64([-1, 0, 2]))
array([-0.63212056,  0.        ,  2.        ])""",
    dtypes=_ACTIVATION,
    signature="alpha=1.0, ",
    options="alpha\n    What the result goes to, with the other sign, for small x.\n",
)
gelu = _one(
    "gelu",
    "Take x Phi(x) of each element, Phi being the normal distribution, as torch.nn.functional.gelu.",
    """>>> gelu(np.float64([-1, 0, 1]))
array([-0.15865525,  0.        ,  0.84134475])""",
    dtypes=_ACTIVATION,
    signature="approximate='none', ",
    options="approximate\n    'none' for Phi itself, 'tanh' for the approximation (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.\n",
)
silu = _one(
    "silu",
    "Take x sigmoid(x) of each element, as torch.nn.functional.silu.",
    """>>> silu(np.float64([-1, 0, 1]))
array([-0.26894142,  0.        ,  0.73105858])""",
    dtypes=_ACTIVATION,
)
softplus = _one(
    "softplus",
    "Take log(1 + exp(beta x)) / beta of each element, as torch.nn.functional.softplus.",
    """>>> softplus(np.float64([-1, 0, 1]))
array([0.31326169, 0.69314718, 1.31326169])""",
    dtypes=_ACTIVATION,
    signature="beta=1.0, threshold=20.0, ",
    options="beta\n    How sharply it bends.\nthreshold\n    Where beta x is larger than this, the result is x.\n",
)
clip = _binding.elementwise(
    "clip",
    "(x, /, min=None, max=None, *, out=None)",
    """Limit each element to [min, max].

Parameters
----------
x
    An array of float32 or float64.
min, max
    None, a number, or an array of x's dtype that broadcasts with `x`. Where `min` is larger, the result is `max`.
out
    Where the result goes: a writable array of the result's shape and dtype. It may share memory with `x`.

Returns
-------
`out`, or a new NumPy array of x's dtype. NaN in `x` and in the limits stays NaN.

Raises
------
TypeError
    for an object that is no array, a masked array, another dtype, and a limit that is neither None, a number nor an
    array of x's dtype.
ValueError
    for shapes that do not broadcast, another device, elements that are not aligned, more than 32 dimensions, and an
    `out` that is read-only, of another shape or self-overlapping.

Examples
--------
>>> import numpy as np
>>> clip(np.float64([-1, 0.5, 3]), 0, 2)
array([0. , 0.5, 2. ])
""",
    __name__,
)
where = _binding.elementwise(
    "where",
    "(condition, x1, x2, /, *, out=None)",
    """Take elements of `x1` where a condition is true, and of `x2` elsewhere.

Parameters
----------
condition
    An array of bool.
x1, x2
    Arrays of one dtype: a float, bool, int8, int32 or int64. The shapes of all three broadcast as in NumPy.
out
    Where the result goes: a writable array of the result's shape and dtype. It may share memory with the inputs.

Returns
-------
`out`, or a new NumPy array of the dtype of `x1` and the broadcast shape.

Raises
------
TypeError
    for an object that is no array, a masked array, another dtype, and two dtypes: nothing is converted silently.
ValueError
    for shapes that do not broadcast, another device, elements that are not aligned, more than 32 dimensions, and an
    `out` that is read-only, of another shape or self-overlapping.

Examples
--------
>>> import numpy as np
>>> where(np.array([True, False]), np.float64([1, 2]), np.float64([3, 4]))
array([1., 4.])
""",
    __name__,
)
