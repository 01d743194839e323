"""One library in one process: it is asked for a sample of a row, computes, and answers.

Each library has a process of its own, because two of them in one would share OpenMP runtimes and thread settings.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

_SAMPLE = 0.004  # seconds that a sample takes at least, so that neither the clock nor an interrupt decides


def main(arguments: list[str]) -> int:
    """Answer requests, one line of JSON each, until standard input ends."""
    library, threads = arguments[0], int(arguments[1])
    module = importlib.import_module(f"{__package__}.of_{library}")
    _answer({"versions": module.versions()})
    row: Callable[[], object] | None = None
    calls = 1
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        if request["do"] == "prepare":
            row = None  # frees the arrays of the row before
            try:
                row = module.prepare(request["kind"], request["parameters"], threads)
                calls = _calls(row)
                _answer({"calls": calls})
            except (LookupError, AttributeError) as error:
                _answer({"missing": str(error)})
        elif request["do"] == "sample" and row is not None:
            _answer({"seconds": _timed(row, calls)})
        elif request["do"] == "limits":
            _answer(limits())
    return 0


def _answer(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _timed(row: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        row()
    return (time.perf_counter() - started) / calls


def _calls(row: Callable[[], object]) -> int:
    """Return how many calls make a sample; the first ones are warm-up."""
    row()
    calls = 1
    while (seconds := _timed(row, calls) * calls) < _SAMPLE:
        calls = max(calls + 1, min(calls * 10, round(calls * 1.2 * _SAMPLE / max(seconds, 1e-9))))
    return calls


def limits() -> dict[str, float]:
    """Return what the loaded library's instructions reach at most on one thread: operations and bytes a second."""
    import numpy as np

    import ndkernels
    from ndkernels import _binding

    found: dict[str, float] = {}
    for dtype in ("float32", "float64"):
        speeds = []
        for _ in range(9):
            started = time.perf_counter()
            _, operations = _binding.call(
                "probe_multiply_add", (), (((), dtype, None), ((), "int64", None)), (200_000,), ()
            )
            speeds.append(int(operations) / (time.perf_counter() - started))
        found[dtype] = max(speeds)
    a, b, c = (np.ones(1 << 24, np.float32) for _ in range(3))
    found["bytes"] = (
        3.0
        * a.nbytes
        / min(
            _timed(lambda: _binding.call("probe_triad", (b, c), ((a.shape, a.dtype, a),), (), ()), 1) for _ in range(7)
        )
    )
    found["threads"] = ndkernels.get_num_threads()
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
