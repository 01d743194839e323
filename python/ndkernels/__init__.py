"""N-d array kernels on NumPy arrays and everything that speaks DLPack, from the best binary this machine can run.

`pip install ndkernels` works everywhere; `show_config()` tells what was loaded, and whether a better one is published.
"""

from __future__ import annotations

import os as _os
import sys as _sys

# `python -m ndkernels doctor` and the script `ndkernels` import this first, and have to survive what they are to find: nothing
# is loaded for them.
_argv = [*getattr(_sys, "argv", []), "", ""]
if _argv[:2] == ["-m", "doctor"] and _sys.orig_argv[-len(_sys.argv)].removeprefix("-m") == __name__:
    from ndkernels._command import main as _main

    _sys.exit(_main(prog=f"python -m {__name__}"))
if _argv[1] in {"doctor", "detect"} and _argv[0].replace("\\", "/").rpartition("/")[2] in {
    __name__,
    f"{__name__}.exe",
    f"{__name__}-script.py",
}:
    from ndkernels._command import main as _main

    _sys.exit(_main())

from ndkernels._catalogue import CATALOGUE
from variantkit import loader

try:
    import ndkernels._binding as _binding  # noqa: PLR0402 -- the other spelling speaks of a circular import when it fails
except ImportError as error:
    raise loader.not_importable(CATALOGUE, error) from error
from ndkernels._config import show_config
from ndkernels._contractions import matmul
from ndkernels._elementwise import (
    abs,  # noqa: A004 -- the standard's name
    add,
    clip,
    cos,
    divide,
    elu,
    equal,
    erf,
    exp,
    gelu,
    greater,
    greater_equal,
    leaky_relu,
    less,
    less_equal,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    relu,
    rsqrt,
    sigmoid,
    silu,
    sin,
    softplus,
    sqrt,
    subtract,
    tanh,
    where,
)
from ndkernels._modules import MODULES
from ndkernels._threads import get_num_threads, set_num_threads
from variantkit.errors import (
    BetterVariantWarning,
    ClassifierError,
    ClassifierFallbackWarning,
    ClassifierNotInstalledError,
    ClassifierNotRunnableError,
    HelperError,
    HelperNotInstalledError,
    HelperVersionError,
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
    "HelperError",
    "HelperNotInstalledError",
    "HelperVersionError",
    "NoUsableClassifierError",
    "UnknownClassifierError",
    "VersionMismatchError",
    "__version__",
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
    "get_num_threads",
    "greater",
    "greater_equal",
    "leaky_relu",
    "less",
    "less_equal",
    "log",
    "matmul",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "power",
    "relu",
    "rsqrt",
    "set_num_threads",
    "show_config",
    "sigmoid",
    "silu",
    "sin",
    "softplus",
    "sqrt",
    "subtract",
    "tanh",
    "where",
]
__all__.extend(MODULES)

__version__ = CATALOGUE.version

_loaded = loader.load("ndkernels", cpuid=_binding.cpuid, open_library=_binding.open_library)
_binding.set_features(sorted(_loaded.host.features))
_binding.use(_loaded.library)
_row = CATALOGUE.get(_loaded.classifier)
if (_row and _row.helpers) or any(_os.environ.get(_variable.name) for _variable in CATALOGUE.variables):
    from ndkernels._helpers import apply_environment as _apply_environment

    _apply_environment()


def __getattr__(name: str) -> object:
    """Import the module of a function when it is asked for first: most programs use a few, and none pays for the rest."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    from importlib import import_module

    function = getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return sorted({*globals(), *MODULES})
