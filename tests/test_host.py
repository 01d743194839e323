from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from hosts import RECORDED
from variantkit.cpuid import CpuidReading
from variantkit.features import BASELINE, LEVELS
from variantkit.host import Host, Reading, Source, detect, this_machine
from variantkit.host_linux import parse, read_linux
from variantkit.host_macos import read_macos
from variantkit.host_windows import FEATURES, read_windows
from variantkit.hostfile import _encoded

V2, V3, V4 = LEVELS["x86-64-v2"], LEVELS["x86-64-v3"], LEVELS["x86-64-v4"]


def linux(*sources: Source, cpuid: CpuidReading | None = None, **options: Any) -> Host:
    readers = {source.name: (lambda source=source: Reading(source=source)) for source in sources}
    return detect(cpuid, readers, system="linux", machine="x86_64", **options)


def kernel(*features: str) -> Source:
    return Source(name="kernel", features=frozenset(features))


def cpuid(*features: str, xcr0: int | None = 0xE7) -> CpuidReading:
    return CpuidReading(leaves=_encoded("GenuineIntel", [*features, "osxsave"]), xcr0=xcr0)


# --- recorded machines


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_machine_has_its_level(name: str) -> None:
    recorded = RECORDED[name]
    host = recorded.detect()
    assert host.platform == f"{recorded.system}-{recorded.machine}"
    reached = [level for level, features in LEVELS.items() if level.startswith("x86") and features <= host.features]
    assert (reached[-1] if reached else "") == recorded.expected.get("level", "")
    wanted = recorded.expected.get("note", "")
    assert any(wanted in note for note in host.notes) if wanted else host.notes == ()


def test_every_recorded_machine_names_itself_and_its_source() -> None:
    assert len(RECORDED) >= 139
    for stem, recorded in RECORDED.items():
        assert recorded.name == stem
        assert recorded.source


def test_rspamd_5137_avx2_in_cpuid_but_masked_by_the_kernel() -> None:
    host = RECORDED["masked-avx"].detect()
    assert {"avx", "avx2", "fma"}.isdisjoint(host.features)
    assert host.disagreements["avx2"] == {"kernel": False, "cpuid": True}
    assert "gather_data_sampling" in host.notes[0]


def test_blake3_220_a_feature_must_be_on_all_cores() -> None:
    host = RECORDED["mixed-cores"].detect()
    assert not any(name.startswith("avx512") for name in host.features)
    assert host.missing(V3) == ()


def test_intel_isa_l_crypto_23_knights_landing_has_avx512f_without_bw() -> None:
    host = RECORDED["knights-landing"].detect()
    assert {"avx512f", "avx512cd", "avx512er", "avx512pf"} <= host.features
    assert host.missing(V4) == ("avx512bw", "avx512dq", "avx512vl")


def test_nixpkgs_504266_kvm64_is_told_to_set_its_cpu_type() -> None:
    host = RECORDED["kvm64"].detect()
    assert host.hypervisor
    (note,) = host.notes
    assert "avx2" in note
    assert note.endswith('set its CPU type to "host".')


def test_a_virtual_machine_that_hides_nothing_gets_no_note() -> None:
    assert linux(kernel(*V3, "hypervisor")).notes == ()


@pytest.mark.parametrize("name", ["rosetta-linux", "rosetta-macos"])
def test_polars_17687_rosetta_is_told_to_use_a_native_python(name: str) -> None:
    host = RECORDED[name].detect()
    assert "avx" not in host.features
    assert "native arm64 Python" in host.notes[0]


def test_docker_for_mac_7080_rosetta_shows_the_cpuinfo_of_the_arm_kernel() -> None:
    text = b"processor\t: 0\nFeatures\t: fp asimd aes pmull sha1 crc32\nCPU implementer\t: 0x00\n"
    assert parse(text, "x86_64") is None
    arm = parse(text, "aarch64")
    assert arm is not None
    assert arm.source.features == {"fp", "asimd", "aes", "pmull", "sha1", "crc32"}


def test_qemu_user_says_less_than_the_machine_below() -> None:
    host = RECORDED["qemu-user-nehalem"].detect()
    assert "avx" not in host.features
    assert host.disagreements["avx512f"] == {"kernel": True, "cpuid": False}


def test_macos_skylake_has_linux_names() -> None:
    features = RECORDED["macos-skylake"].detect().features
    assert {"avx", "pni", "sse4_1", "abm", "lahf_lm", "lm", "fsgsbase", "adx"} <= features


# --- the rule


def test_a_feature_holds_when_every_source_that_speaks_about_it_has_it() -> None:
    silent = Source(name="py-cpuinfo", features=frozenset(), scope=frozenset({"gfni"}))
    host = linux(kernel(*V2, "aes", "gfni"), silent, cpuid=cpuid(*V2, "aes", "gfni"), all_sources=True)
    assert "aes" in host.features
    assert "gfni" not in host.features
    assert host.disagreements == {"gfni": {"kernel": True, "cpuid": True, "py-cpuinfo": False}}


def test_the_baseline_of_the_machine_always_holds() -> None:
    assert linux(kernel("avx2")).features == BASELINE["x86_64"]


def test_no_source_at_all_leaves_the_baseline() -> None:
    host = detect(None, {}, system="linux", machine="x86_64")
    assert host.features == BASELINE["x86_64"]
    assert host.sources == ()
    assert "no source" in host.notes[0]


def test_an_unreadable_proc_leaves_cpuid_alone() -> None:
    def unreadable() -> Reading:
        raise PermissionError(13, "Permission denied")

    host = detect(cpuid(*V3), {"kernel": unreadable}, system="linux", machine="x86_64")
    assert [source.name for source in host.sources] == ["cpuid"]
    assert host.features >= V3
    assert "'kernel' failed" in host.notes[0]
    assert "Permission denied" in host.notes[0]


def test_a_compiled_reading_that_raises_leaves_the_kernel_alone() -> None:
    def broken() -> Any:
        raise RuntimeError

    readers = {"kernel": lambda: Reading(source=kernel(*V3))}
    host = detect(broken, readers, system="linux", machine="x86_64")
    assert [source.name for source in host.sources] == ["kernel"]
    assert host.features == V3


def test_a_compiled_reading_may_be_a_function() -> None:
    raw = cpuid(*V3)
    host = detect(lambda: (raw.leaves, raw.xcr0), {}, system="linux", machine="x86_64")
    assert host.features >= V3
    assert host.vendor == "GenuineIntel"
    # On a machine that is no x86, the function has nothing to say.
    assert detect(lambda: ({}, None), {}, system="linux", machine="aarch64").sources == ()


def test_py_cpuinfo_is_asked_only_where_a_source_is_missing() -> None:
    calls = []

    def py_cpuinfo() -> Reading:
        calls.append(1)
        return Reading(source=Source(name="py-cpuinfo", features=V3))

    readers = {"kernel": lambda: Reading(source=kernel(*V4)), "py-cpuinfo": py_cpuinfo}
    detect(cpuid(*V4), readers, system="linux", machine="x86_64")
    assert not calls
    host = detect(None, readers, system="linux", machine="x86_64")
    assert len(calls) == 1
    assert host.features == V3
    detect(cpuid(*V4), readers, system="linux", machine="x86_64", all_sources=True)
    assert len(calls) == 2


def test_golang_43089_on_macos_the_kernel_speaks_about_avx512() -> None:
    raw = cpuid(*V4, xcr0=0x7)
    with_it = {"kernel": lambda: Reading(source=kernel(*V4))}
    without = {"kernel": lambda: Reading(source=kernel(*V3))}
    assert detect(raw, with_it, system="macos", machine="x86_64").features >= V4
    assert detect(raw, without, system="macos", machine="x86_64").features.isdisjoint(V4 - V3)
    assert detect(raw, {}, system="macos", machine="x86_64").features.isdisjoint(V4 - V3)


# --- readers


CPUINFO = textwrap.dedent(
    """\
    processor\t: 0
    vendor_id\t: GenuineIntel
    model name\t: Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz
    flags\t\t: fpu vme sse2 avx avx2 hypervisor
    vmx flags\t: vnmi avx512f
    bugs\t\t: spectre_v1
    power management:

    """
)


def test_linux_reads_vendor_model_and_flags() -> None:
    reading = parse(CPUINFO.encode(), "x86_64")
    assert reading is not None
    assert reading.source.features == {"fpu", "vme", "sse2", "avx", "avx2", "hypervisor"}
    assert (reading.vendor, reading.brand) == ("GenuineIntel", "Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz")
    assert reading.hypervisor


@pytest.mark.parametrize("text", [b"", b"processor\t: 0\n", b"flags\t\t:\n", b"\xff\xfe\x00nonsense"])
def test_linux_without_flags_is_no_source(text: bytes) -> None:
    assert parse(text, "x86_64") is None


def test_linux_splits_equal_lines_once(monkeypatch: pytest.MonkeyPatch) -> None:
    many = (CPUINFO * 255 + CPUINFO.replace("avx2 ", "")).encode()
    reading = parse(many, "x86_64")
    assert reading is not None
    assert "avx2" not in reading.source.features
    assert "avx" in reading.source.features


@pytest.mark.skipif(sys.platform != "linux", reason="reads this machine's /proc/cpuinfo")
def test_linux_reads_this_machine() -> None:
    reading = read_linux(this_machine()[1])
    assert reading is not None
    text = Path("/proc/cpuinfo").read_text(encoding="latin-1")
    assert reading.source.features
    assert all(f" {name}" in text for name in reading.source.features)


def test_macos_names_are_linux_names() -> None:
    values = {
        "machdep.cpu.features": "FPU SSE SSE2 SSE3 SSE4.1 SSE4.2 AVX1.0 VMM",
        "machdep.cpu.leaf7_features": "AVX2 AVX512F AVX512BW SHA",
        "hw.optional.avx512f": 1,
    }
    reading = read_macos(values.get)
    assert reading is not None
    wanted = {"fpu", "sse", "sse2", "pni", "sse4_1", "sse4_2", "avx", "avx2", "avx512f", "sha_ni", "hypervisor"}
    # AVX512BW is listed by the CPU, but not by hw.optional, which is what the system supports.
    assert reading.source.features == wanted
    assert reading.hypervisor
    assert read_macos({}.get) is None


def test_windows_speaks_about_few_features() -> None:
    present = {FEATURES[name] for name in ("sse2", "ssse3", "avx", "avx2")}
    reading = read_windows(present.__contains__)
    assert reading is not None
    assert reading.source.says("avx2") is True
    assert reading.source.says("avx512f") is False
    assert reading.source.says("fma") is None


def test_an_old_windows_does_not_know_the_young_numbers() -> None:
    old = [number for number in FEATURES.values() if number < 36]
    reading = read_windows(old.__contains__)
    assert reading is not None
    assert reading.source.says("avx2") is None
    assert detect(cpuid(*V3), {"kernel": lambda: reading}, system="windows", machine="x86_64").features >= V3
    # Without a CPUID reading, nobody says that there is AVX2.
    assert "avx2" not in detect(None, {"kernel": lambda: reading}, system="windows", machine="x86_64").features


@pytest.mark.parametrize(
    ("platform", "version", "uname", "maxsize", "expected"),
    [
        ("linux", "3.12", "x86_64", 2**63 - 1, ("linux", "x86_64")),
        ("linux", "3.12", "aarch64", 2**63 - 1, ("linux", "aarch64")),
        ("linux", "3.12", "x86_64", 2**31 - 1, ("linux", "i686")),
        ("darwin", "3.12", "arm64", 2**63 - 1, ("macos", "arm64")),
        ("darwin", "3.12", "x86_64", 2**63 - 1, ("macos", "x86_64")),
        ("freebsd14", "3.12", "amd64", 2**63 - 1, ("freebsd14", "x86_64")),
        ("win32", "3.12 [MSC v.1937 64 bit (AMD64)]", "", 2**63 - 1, ("windows", "x86_64")),
        ("win32", "3.12 [MSC v.1937 64 bit (ARM64)]", "", 2**63 - 1, ("windows", "arm64")),
        ("win32", "3.12 [MSC v.1937 32 bit (Intel)]", "", 2**31 - 1, ("windows", "i686")),
    ],
)
def test_platform_names(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    version: str,
    uname: str,
    maxsize: int,
    expected: tuple[str, str],
) -> None:
    class Uname:
        machine = uname

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "version", version)
    monkeypatch.setattr(sys, "maxsize", maxsize)
    monkeypatch.setattr(os, "uname", Uname, raising=False)
    assert this_machine() == expected
