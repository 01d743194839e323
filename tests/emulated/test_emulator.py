"""That the emulator can fail: what these tests count is there where it has to be."""

from __future__ import annotations

import signal
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from emulation import MACHINES, Emulator
from environments import Environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROGRAM = """
int main(void) {
    __asm__ volatile("vpaddd %ymm1, %ymm2, %ymm3");
    return 42;
}
"""

# The loader is made to believe in this machine's AVX2, and the library's ISA note has been taken away.
DECEIVED = """
import sys
import ndkernels, numpy
from ndkernels import _binding
library = _binding.open_library(sys.argv[1])
_binding.use(library)
print(library.classifier, flush=True)
a = numpy.arange(64, dtype="f4")
print(float(ndkernels.sum(ndkernels.matmul(a.reshape(8, 8), a.reshape(8, 8)))))
"""

_GNU_PROPERTY, _NOTE, _NULL = 0x6474E553, 4, 0


@pytest.mark.parametrize("machine", MACHINES)
def test_an_instruction_that_a_machine_has_not_is_a_sigill(
    machine: str, emulator: Emulator, compiler: str, tmp_path: Path
) -> None:
    (tmp_path / "program.c").write_text(PROGRAM)
    subprocess.run([compiler, "-o", str(tmp_path / "program"), str(tmp_path / "program.c")], check=True)
    result = emulator.run(machine, tmp_path / "program", environ={}, cwd=tmp_path)
    assert result.status == (42 if "avx2" in MACHINES[machine] else -signal.SIGILL), result.errors


@pytest.mark.parametrize("machine", MACHINES)
def test_a_library_above_the_machine_ends_the_self_test(
    machine: str, emulator: Emulator, environment_with: Callable[..., Environment], tmp_path: Path
) -> None:
    environment = environment_with("avx2")
    library = environment.site_packages / "ndkernels_avx2" / "libndkernels_avx2.so"
    unmarked = tmp_path / library.name
    unmarked.write_bytes(without_isa_note(library.read_bytes()))
    result = emulator.python(machine, environment, "-c", DECEIVED, unmarked, NDKERNELS_WARN="0")
    # It opens everywhere, since a kernel library executes nothing when it is opened.
    assert result.output.splitlines()[:1] == ["avx2"]
    if "avx2" in MACHINES[machine]:
        assert (result.status, result.output.split()) == (0, ["avx2", "529536.0"])
    else:
        assert result.status == -signal.SIGILL


def without_isa_note(library: bytes) -> bytes:
    """Return a library whose notes nobody finds, with the ISA note among them."""
    data = bytearray(library)
    start, size, count = (*struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54))
    found = 0
    for offset in range(start, start + size * count, size):
        if struct.unpack_from("<I", data, offset)[0] in (_GNU_PROPERTY, _NOTE):
            struct.pack_into("<I", data, offset, _NULL)
            found += 1
    assert found >= 2
    return bytes(data)
