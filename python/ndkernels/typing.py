"""Types for annotations; not imported by `import ndkernels`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import CapsuleType

__all__ = ["Array", "SupportsBuffer", "SupportsDLPack"]


class SupportsDLPack(Protocol):
    """An array that can be read through DLPack, as the Array API standard requires.

    https://data-apis.org/array-api/latest/design_topics/data_interchange.html
    """

    def __dlpack__(self, *, stream: Any = ...) -> CapsuleType:
        """Return a capsule with a DLPack tensor."""
        ...

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return device type and number; type 1 is the CPU."""
        ...


class SupportsBuffer(Protocol):
    """An object with the buffer protocol (PEP 688), such as `array.array` and `memoryview`."""

    def __buffer__(self, flags: int, /) -> memoryview:
        """Return a view of the memory."""
        ...


Array: TypeAlias = SupportsDLPack | SupportsBuffer
"""What the functions accept: float32 or float64 numbers in CPU memory."""
