"""Opening kernel libraries: what is refused, and with which reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ndkernels
from kernel_library import build_probe, installed_library
from ndkernels import _binding

if TYPE_CHECKING:
    from pathlib import Path


def test_the_installed_library_opens_again_and_describes_itself() -> None:
    library = _binding.open_library(str(installed_library()))
    config = ndkernels.show_config("dicts")
    assert library.path == config["path"]
    assert library.classifier == config["classifier"]
    assert library.version == config["version"] == ndkernels.__version__
    assert library.abi == _binding.ABI
    assert repr(library) == f"<kernel library {library.classifier} {library.version} at {library.path}>"


def test_a_newer_minor_abi_is_accepted(compiler: str, tmp_path: Path) -> None:
    library = _binding.open_library(build_probe(compiler, tmp_path))
    assert (library.classifier, library.version, library.abi) == ("probe", "9.8.7", (_binding.ABI[0], 7))


def refusal(path: object) -> str:
    with pytest.raises(OSError) as caught:  # noqa: PT011 -- the caller looks at the message
        _binding.open_library(str(path))
    return str(caught.value)


@pytest.mark.parametrize("part", [0, 10, 40, 100, 1000, 0.25, 0.5, 0.99])
def test_a_truncated_library_is_refused_and_does_not_kill_the_process(tmp_path: Path, part: float) -> None:
    data = installed_library().read_bytes()
    path = tmp_path / "truncated.so"
    path.write_bytes(data[: part if isinstance(part, int) else int(len(data) * part)])
    assert refusal(path).startswith(f"{path}: ")
    if part not in (0, 10):  # what is too short to be recognised is left to the dynamic linker
        assert refusal(path) == f"{path}: the file is truncated. Install its package again."


def test_a_library_for_another_machine_is_refused_by_its_name(tmp_path: Path) -> None:
    data = bytearray(installed_library().read_bytes())
    machine, name = (183, "aarch64") if data[18] != 183 else (62, "x86-64")
    data[18:20] = machine.to_bytes(2, "little")
    path = tmp_path / "foreign.so"
    path.write_bytes(data)
    assert refusal(path).startswith(f"{path}: is built for {name}, and this process is ")


def test_a_shared_object_that_is_no_kernel_library_is_refused() -> None:
    assert "is not a kernel library, it has no symbol ndkernels_open" in refusal(_binding.__file__)


def test_another_major_abi_is_refused_with_both_versions(compiler: str, tmp_path: Path) -> None:
    path = build_probe(compiler, tmp_path, PROBE_MAJOR="9")
    assert f"{path}: speaks kernel ABI 9.7, and this version of the package needs 2.2" in refusal(path)


def test_a_library_that_finds_our_abi_foreign_is_refused(compiler: str, tmp_path: Path) -> None:
    path = build_probe(compiler, tmp_path, PROBE_STATUS="NDK_ABI_MISMATCH")
    assert "speaks kernel ABI of another major version, and this version of the package needs 2.2" in refusal(path)


def test_a_library_that_refuses_to_open_is_named_with_its_status(compiler: str, tmp_path: Path) -> None:
    path = build_probe(compiler, tmp_path, PROBE_STATUS="NDK_OUT_OF_MEMORY")
    assert refusal(path) == f"{path}: refused to open with status 3."


def test_files_that_are_no_libraries(tmp_path: Path) -> None:
    text = tmp_path / "text.so"
    text.write_text("not a library, but long enough to hold the header of one: " + "x" * 100)
    assert "invalid ELF header" in refusal(text)
    assert "No such file" in refusal(tmp_path / "absent.so")
    assert str(tmp_path) in refusal(tmp_path)


@pytest.mark.parametrize("path", ["", "libm.so.6", "./library.so"])
def test_nothing_is_searched_for(path: str) -> None:
    assert "is not an absolute path" in refusal(path)


def test_use_takes_only_libraries() -> None:
    with pytest.raises(TypeError):
        _binding.use(None)
