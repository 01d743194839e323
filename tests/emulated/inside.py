"""What an emulated machine is asked, all in one process, because a child would run on the real CPU; prints JSON."""

from __future__ import annotations

import contextlib
import io
import json
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import ndkernels

from ndkernels import _binding, _selftest
from variantkit import loader
from variantkit.cli import detect
from variantkit.environment import Settings
from variantkit.errors import ClassifierError

# The self-test compares its large arrays in Python, some twenty times slower in there; `threaded` stands in for these.
_selftest._MANY = 4_099


def main() -> dict[str, object]:
    loaded = loader.load("ndkernels")
    # Each library runs on each CPU in both dtypes once: where no other is installed beside that of the base wheel.
    if {item.classifier for item in loaded.installed} != {"generic", loaded.decision.chosen}:
        _selftest._OPERATOR_DTYPES = ("float32",)
    found: dict[str, object] = {
        "config": ndkernels.show_config("dicts"),
        "missing": loaded.decision.missing,
        "sources": {source.name: sorted(source.features) for source in loaded.host.sources},
        "warnings": [[warning.category.__name__, str(warning.message)] for warning in caught],
        "forced": {name: forced(name) for name in loaded.catalogue.names},
        "opened": {item.classifier: opened(item.path) for item in loaded.installed},
        "detect": reported(),
    }
    found["threaded"] = threaded()
    found["checks"] = {name: check() for name, check in _selftest.self_test(loaded.library).checks}
    return found


def forced(name: str) -> str:
    """What becomes of the wish for one classifier."""
    loaded = loader.load("ndkernels")
    try:
        loader.resolve(
            loaded.catalogue,
            package_dir=loader.package_dir("ndkernels"),
            host=loaded.host,
            settings=Settings(forced=name),
            open_library=_binding.open_library,
        )
    except ClassifierError as error:
        return f"{type(error).__name__}: {error}"
    return "loaded"


def opened(path: str) -> str:
    """What becomes of a library that is opened without asking the loader, which is what its ISA note is for."""
    try:
        return str(_binding.open_library(path).classifier)
    except OSError as error:
        return f"refused: {error}"


def reported() -> dict[str, object]:
    """What `python -m variantkit detect` says."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        status = detect.main(["ndkernels", "--json"], prog="detect")
    return {"status": status, "report": json.loads(text.getvalue())}


def threaded() -> dict[str, bool]:
    """Whether arrays that are large enough for several threads give what NumPy gives."""
    import numpy as np

    ndkernels.set_num_threads(4)
    right = {}
    for dtype in ("float32", "float64"):
        x = np.linspace(-2, 2, 2**20 + 3, dtype=dtype)
        square = x[: 300 * 300].reshape(300, 300)
        right[f"add {dtype}"] = bool((ndkernels.add(x, x) == x + x).all())
        right[f"exp {dtype}"] = bool(np.allclose(ndkernels.exp(x), np.exp(x), rtol=1e-6))
        right[f"sum {dtype}"] = bool(np.isclose(ndkernels.sum(x + 2), (x + 2).sum(dtype="float64"), rtol=1e-5))
        right[f"matmul {dtype}"] = bool(np.allclose(ndkernels.matmul(square, square), square @ square, rtol=1e-4))
    return right


if __name__ == "__main__":
    print(json.dumps(main(), default=str))
