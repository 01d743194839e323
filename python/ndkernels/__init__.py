"""N-d array kernels on NumPy arrays and everything that speaks DLPack, from the best binary this machine can run.

`pip install ndkernels` works everywhere; `show_config()` tells what was loaded, and whether a better one is published.
"""

from __future__ import annotations

from ndkernels import _binding
from ndkernels._catalogue import CATALOGUE
from ndkernels._config import show_config
from ndkernels._contractions import matmul, sum  # noqa: A004 -- the standard's name
from ndkernels._elementwise import add, divide, exp, maximum, multiply, relu, subtract
from ndkernels._threads import get_num_threads, set_num_threads
from variantkit import loader
from variantkit.errors import (
    BetterVariantWarning,
    ClassifierError,
    ClassifierFallbackWarning,
    ClassifierNotInstalledError,
    ClassifierNotRunnableError,
    NoUsableClassifierError,
    UnknownClassifierError,
    VersionMismatchError,
)

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
    "add",
    "divide",
    "exp",
    "get_num_threads",
    "matmul",
    "maximum",
    "multiply",
    "relu",
    "set_num_threads",
    "show_config",
    "subtract",
    "sum",
]

__version__ = CATALOGUE.version

_binding.use(loader.load("ndkernels", cpuid=_binding.cpuid, open_library=_binding.open_library).library)
