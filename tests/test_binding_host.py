"""What a kernel library gets from the binding, and what becomes of the status it returns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import ndkernels
from environments import clean_environ
from kernel_library import build_probe, installed_library
from ndkernels import _binding

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def probe_path(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_probe(compiler, tmp_path_factory.mktemp("probe"))


@pytest.fixture
def probe(probe_path: str) -> Iterator[None]:
    threads = ndkernels.get_num_threads()
    _binding.use(_binding.open_library(probe_path))
    yield
    _binding.use(_binding.open_library(str(installed_library())))
    ndkernels.set_num_threads(threads)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [10, 1000, 20_000])
def test_parallel_for_calls_every_index_once_and_nested_ones_run_alone(probe: None, threads: int, count: int) -> None:
    ndkernels.set_num_threads(threads)
    outer, inner, indices, outside, wide_inside, *_ = ndkernels.exp(np.zeros(count))
    assert (outer, inner, indices) == (count, 3 * count, count * (count - 1) // 2)
    assert (outside, wide_inside) == (threads, 0)


def test_memory_is_aligned_and_an_empty_block_is_not_null(probe: None) -> None:
    assert ndkernels.exp(np.zeros(10))[5] == 1


def test_a_status_becomes_an_exception_that_names_the_library(probe: None) -> None:
    x = np.ones((2, 2))
    with pytest.raises(RuntimeError, match=r"the kernel library 'probe' refused the arguments of binary with status 1"):
        ndkernels.add(x, x)
    with pytest.raises(RuntimeError, match=r"the kernel library 'probe' refused the arguments of matmul with status 2"):
        ndkernels.matmul(x, x)
    with pytest.raises(MemoryError):
        ndkernels.sum(x)


def logged(library: str) -> list[str]:
    code = """
import array, sys
from ndkernels import _binding
_binding.use(_binding.open_library(sys.argv[1]))
_binding.elementwise("relu", "(x, /, *, out=None)", "", "m")(array.array("d", [1.0]))
"""
    result = subprocess.run(
        [sys.executable, "-c", code, library],
        env={**clean_environ(), "NDKERNELS_WARN": "0", "NDKERNELS_LOG": "debug"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line for line in result.stderr.splitlines() if " a " in line]


def test_warnings_go_to_stderr_and_lesser_messages_nowhere(probe_path: str, compiler: str, tmp_path: Path) -> None:
    assert logged(probe_path) == []
    header = tmp_path / "louder.h"
    header.write_text('#include "ndkernels.h"\n#define NDK_LOG_INFO NDK_LOG_WARNING\n', encoding="ascii")
    assert logged(build_probe(compiler, tmp_path, "-include", str(header))) == ["ndkernels: a message"]


def test_without_a_library_the_functions_say_so() -> None:
    """The module by itself, as a developer meets it who has forgotten `use`."""
    code = """
import array, importlib.util, sys
spec = importlib.util.spec_from_file_location("_binding", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
try:
    module.elementwise("relu", "(x, /, *, out=None)", "", "m")(array.array("d", [1.0]))
except RuntimeError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(Path(_binding.__file__))],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.strip() == "no kernel library is in use. Call use(open_library(path)) first."
