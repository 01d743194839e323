"""What was in the memory that a function is given, for its result or as scratch, changes no bit of its result."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

# One case for each function, and convolutions that Winograd's algorithm takes, with tiles that do not fill vectors.
SCRIPT = """
import hashlib, numpy as np, ndkernels as nk
from agreement import CASES, numbers

def leaves(result):
    if isinstance(result, (list, tuple)):
        for each in result:
            yield from leaves(each)
    elif result is not None:
        yield np.ascontiguousarray(result)

def told(name, result):
    print(name, hashlib.sha256(b"".join(each.tobytes() for each in leaves(result))).hexdigest())

for name, case in CASES.items():
    told(name, case.run())
for extent in (7, 14, 30):
    x, weight = numbers(8, 64, extent, extent), numbers(64, 64, 3, 3)
    told(f"conv2d of {extent}", nk.conv2d(x, weight, padding=1))
    told(f"conv2d_backward of {extent}", nk.conv2d_backward(x, x, weight, padding=1))
"""


@functools.cache
def usual() -> list[str]:
    return results()


def results(**environ: str) -> list[str]:
    environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=Path(__file__).parent, env={**os.environ, **environ}, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip


@pytest.mark.parametrize("perturb", ["128", "1", "64"])
def test_what_was_in_memory_changes_nothing(perturb: str) -> None:
    """The C library fills what it gives with bytes 0x7f, 0xfe or 0xbf, of which floats are huge, or not."""
    assert len(usual()) > 60
    assert results(MALLOC_PERTURB_=perturb) == usual()
