"""A customer of variantkit in ten lines: one C function, two classifiers, no compiled binding."""

import ctypes

from variantkit.loader import load

LOADED = load("saxpy")
LOADED.library.classifier.restype = ctypes.c_char_p


def saxpy(a: float, x: list[float], y: list[float]) -> list[float]:
    """Return a * x + y in float32."""
    vector = ctypes.c_float * len(y)
    result = vector(*y)
    LOADED.library.saxpy(ctypes.c_long(len(y)), ctypes.c_float(a), vector(*x), result)
    return list(result)


def compiled_for() -> str:
    """Return the classifier that the loaded library says it is."""
    name: bytes = LOADED.library.classifier()
    return name.decode()
