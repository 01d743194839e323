from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import variantkit
from variantkit import host_pycpuinfo
from variantkit.features import LEVELS
from variantkit.host import Reading, Source, detect, this_machine

V2, V3, V4 = LEVELS["x86-64-v2"], LEVELS["x86-64-v3"], LEVELS["x86-64-v4"]


def kernel(features: frozenset[str]) -> Source:
    return Source(name="kernel", features=features)


def namespace(flags: list[str], listed: list[str] | None = None) -> dict[str, Any]:
    class Cpuid:
        def __init__(self) -> None:
            msg = "the constructor runs sestatus"
            raise AssertionError(msg)

        def get_max_extension_support(self) -> int:
            return 0x80000008

        def get_flags(self, highest: int) -> list[str]:
            assert highest == 0x80000008
            return flags

        def get_vendor_id(self) -> str:
            return "GenuineIntel"

    class DataSource:
        pass

    return {"CPUID": Cpuid, "DataSource": DataSource, "_get_cpu_info_from_proc_cpuinfo": lambda: {"flags": listed}}


def test_py_cpuinfo_29_names_are_linux_names() -> None:
    reading = host_pycpuinfo.read_namespace(namespace(["fpu", "rdrnd", "sha", "avx512vnni", "osxsave"]))
    assert reading is not None
    assert {"fpu", "rdrand", "sha_ni", "avx512_vnni"} <= reading.source.features


def test_py_cpuinfo_knows_nothing_of_xcr0_and_is_no_proof_of_avx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_pycpuinfo, "_proc_flags", lambda module: None)
    reading = host_pycpuinfo.read_namespace(namespace([*V4, "osxsave"]))
    assert reading is not None
    assert reading.source.says("avx") is None
    alone = detect(None, {"py-cpuinfo": lambda: reading}, system="linux", machine="x86_64")
    assert "avx" not in alone.features
    readers = {"py-cpuinfo": lambda: reading, "kernel": lambda: Reading(source=kernel(V3))}
    assert detect(None, readers, system="linux", machine="x86_64").features == V3
    # Without OSXSAVE it is a proof of the contrary.
    reading = host_pycpuinfo.read_namespace(namespace([*V4]))
    assert reading is not None
    assert reading.source.says("avx") is False


def test_py_cpuinfo_under_rosetta_finds_the_list_of_an_arm_machine() -> None:
    reading = host_pycpuinfo.read_namespace(namespace([*V2, "osxsave"], listed=["fp", "asimd", "aes"]))
    assert reading is not None
    assert reading.source.features == V2


def test_py_cpuinfo_does_not_put_masked_flags_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own answer is the union of the kernel's list and CPUID."""
    monkeypatch.setattr(host_pycpuinfo, "_proc_flags", lambda module: V2)
    reading = host_pycpuinfo.read_namespace(namespace([*V4, "osxsave"]))
    assert reading is not None
    assert reading.source.says("avx2") is False
    assert reading.source.features == V2


def test_nuitka_3437_the_installed_py_cpuinfo_is_read_without_starting_a_process() -> None:
    code = """
        import sys
        events = ("subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system")
        def forbid(event, args):
            assert event not in events, (event, args)
        sys.addaudithook(forbid)
        sys.frozen = True
        from variantkit.host_pycpuinfo import read_py_cpuinfo
        reading = read_py_cpuinfo()
        assert reading, "py-cpuinfo belongs to the test dependencies"
        assert "cpuinfo" not in sys.modules and "multiprocessing" not in sys.modules and "platform" not in sys.modules
        print(len(reading.source.features), reading.vendor)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, env=_environ()
    )
    assert done.returncode == 0, done.stderr
    count, vendor = done.stdout.split()
    assert int(count) >= 10
    assert len(vendor) == 12


def test_without_py_cpuinfo_there_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    assert host_pycpuinfo.read_py_cpuinfo() is None


@pytest.mark.parametrize("text", ["import subprocess", "from subprocess import Popen", "import socket", "1 / 0"])
def test_a_py_cpuinfo_that_raises_or_asks_for_more_is_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "cpuinfo").mkdir()
    (tmp_path / "cpuinfo" / "__init__.py").write_text("raise AssertionError('imported')", encoding="utf-8")
    (tmp_path / "cpuinfo" / "cpuinfo.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    readers = {"kernel": lambda: Reading(source=kernel(V3)), "py-cpuinfo": host_pycpuinfo.read_py_cpuinfo}
    host = detect(None, readers, system="linux", machine="x86_64")
    assert host.features == V3
    assert "'py-cpuinfo' failed" in host.notes[0]


def _environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(variantkit.__file__ or "").parent.parent)}


def test_nuitka_3437_detection_of_this_machine_starts_no_process() -> None:
    code = """
        import sys
        events = ("subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system")
        def forbid(event, args):
            assert event not in events, (event, args)
        sys.addaudithook(forbid)
        sys.frozen = True
        from variantkit.host import detect
        host = detect(all_sources=True)
        assert host.features, host
        print(host.platform)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, env=_environ()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "-".join(this_machine())
