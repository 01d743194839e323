"""Matrix products, with the names of the Array API standard."""

from __future__ import annotations

from ndkernels import _binding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ndkernels._packed import PackedWeights
    from ndkernels.typing import Array

__all__ = ["matmul"]

# PackedWeights, once there are any: nobody pays for the import of what is not used.
packed_types: set[type] = set()


def matmul(x1: Array, x2: Array | PackedWeights, /, *, out: Array | None = None) -> NDArray[Any]:
    """Multiply matrices, or stacks of them.

    Parameters
    ----------
    x1, x2
        Arrays of one dtype (float32, float64, float16, bfloat16 or int8), of shapes (..., m, k) and (..., k, n), whose
        leading axes broadcast as in NumPy; any strides, so that a transposed view costs nothing. A vector is a row on
        the left and a column on the right. x2 may be prepacked. NumPy arrays and anything else in CPU memory with `__dlpack__` or the
        buffer protocol.
    out
        Where the result goes: a writable array of the result's shape and dtype. It may share memory with the inputs.

    Returns
    -------
    `out`, or a new NumPy array of shape (..., m, n); without m where x1 is a vector, without n where x2 is one. Its
    dtype is that of x1, and int32 for int8, where the sums are exact for k < 2**17 and wrap beyond that. 16-bit floats
    are added up as float32 and rounded once.

    Raises
    ------
    TypeError
        for an object that is no array, a masked array, another dtype, and two dtypes: nothing is converted silently.
    ValueError
        for shapes that do not fit, an array without dimensions, another device, elements that are not aligned, more
        than 32 dimensions, and an `out` that is read-only, of another shape or self-overlapping.

    Examples
    --------
    >>> import numpy as np
    >>> matmul(np.float32([[1, 2], [3, 4]]), np.float32([1, 10]))
    array([21., 43.], dtype=float32)
    """
    if type(x2) in packed_types:
        return _binding.matmul_packed(x1, x2.weight, out, x2.buffers_for("matmul", "x2")[0])  # type: ignore[union-attr]
    return _binding.matmul(x1, x2, out)  # type: ignore[arg-type]
