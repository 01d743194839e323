"""What Windows says about the CPU: IsProcessorFeaturePresent, which speaks about a few features only.

https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-isprocessorfeaturepresent
"""

from __future__ import annotations

from variantkit.host import Reading, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FEATURES", "read_windows"]

FEATURES: dict[str, int] = {
    "mmx": 3,
    "sse": 6,
    "sse2": 10,
    "pni": 13,
    "cx16": 14,
    "xsave": 17,
    "rdrand": 28,
    "ssse3": 36,
    "sse4_1": 37,
    "sse4_2": 38,
    "avx": 39,
    "avx2": 40,
    "avx512f": 41,
}
"""The number that stands for each feature in the call."""

# The numbers from 36 on are younger than the rest; a Windows that does not know them answers "no" to each.
_YOUNG = frozenset({"ssse3", "sse4_1", "sse4_2", "avx", "avx2", "avx512f"})


def read_windows(present: Callable[[int], int] | None = None) -> Reading | None:
    """Ask about each feature; `present` replaces the system's function."""
    ask = _system_call() if present is None else present
    features = frozenset(name for name, number in FEATURES.items() if ask(number))
    scope = frozenset(FEATURES)
    if not features & _YOUNG:
        scope -= _YOUNG
    return Reading(source=Source(name="kernel", features=features, scope=scope))


def _system_call() -> Callable[[int], int]:
    import ctypes

    function = ctypes.CDLL("kernel32").IsProcessorFeaturePresent

    def ask(number: int) -> int:
        return int(function(number))

    return ask
