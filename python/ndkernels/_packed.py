"""Weights that are prepared once for many calls: what `prepack` returns, and what the functions that take it ask of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from ndkernels import _binding

__all__ = ["PackedWeights"]


class PackedWeights:
    """Weights in the order in which kernels read them; `prepack` makes it, and its function takes it as `weight`.

    It never changes, and any number of threads may use it at once. It cannot be pickled; a child of fork() may use it.

    Attributes
    ----------
    op
        The name of the function that it is for.
    weight
        The weights, a read-only copy of what `prepack` was given (for 'lstm' and 'gru' a list of tuples): later changes
        of the caller's array do not change it.
    options
        The arguments of the function that a call has to repeat, such as the stride.
    gain
        Whether there is a packed copy. Where there is none, reading the weights as they lie is as fast.
    nbytes
        How much memory the packed copy takes beside the weights.
    """

    __slots__ = ("__weakref__", "_buffers", "gain", "nbytes", "op", "options", "shape", "weight")

    op: str
    weight: Any
    options: dict[str, Any]
    shape: tuple[int, ...]
    gain: bool
    nbytes: int
    _buffers: tuple[_binding.Packed, ...]

    def __init__(
        self,
        op: str,
        weight: Any,
        shape: tuple[int, ...],
        options: dict[str, Any],
        buffers: tuple[_binding.Packed, ...],
    ) -> None:
        keep = object.__setattr__
        keep(self, "op", op)
        keep(self, "weight", weight)
        keep(self, "shape", shape)
        keep(self, "options", options)
        keep(self, "nbytes", sum(buffer.nbytes for buffer in buffers))
        keep(self, "gain", self.nbytes > 0)
        keep(self, "_buffers", buffers)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name}: packed weights do not change. Call prepack() again, with other weights.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name}: packed weights do not change. Call prepack() again, with other weights.")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"{self!r}: is for this process and this machine, and cannot be pickled or copied. Pickle its attribute "
            "`weight`, and call prepack() where that is read."
        )

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        packed = f"{self.nbytes} bytes packed" if self.gain else "nothing to gain"
        return f"<weights {self.shape} for {self.op}{options}: {packed}>"

    def check_op(self, op: str, name: str = "weight") -> None:
        """Raise TypeError where they are for another function."""
        if op != self.op:
            raise TypeError(
                f"{name}: was prepacked for {self.op}, and this is {op}. Call prepack({op!r}, ...), or pass its "
                "attribute `weight`."
            )

    def buffers_for(self, op: str, name: str = "weight", **options: Any) -> tuple[_binding.Packed, ...]:
        """Return what was packed; raises TypeError for another function and ValueError for other options."""
        self.check_op(op, name)
        if options != self.options:
            for option, value in options.items():
                if value != self.options[option]:
                    raise ValueError(
                        f"{option}: is {value} here, and {name} was prepacked for {self.options[option]}. Pass the same "
                        "to both."
                    )
        return self._buffers
