"""The compiled CPUID reading."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from ndkernels import _binding

pytestmark = pytest.mark.skipif(os.uname().machine not in ("x86_64", "amd64"), reason="CPUID is an x86 instruction")

LEAVES = {0, 1, 7, 0xD, 0x40000000, *range(0x80000000, 0x80000005), 0x80000007, 0x80000008}


def cpuinfo() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def text(*registers: int) -> str:
    return struct.pack(f"<{len(registers)}I", *registers).decode("ascii").rstrip("\0").strip()


def test_types() -> None:
    leaves, xcr0 = _binding.cpuid()
    assert all(type(leaf) is int and type(subleaf) is int for leaf, subleaf in leaves)
    assert all(len(registers) == 4 and all(0 <= each < 2**32 for each in registers) for registers in leaves.values())
    assert xcr0 is None or type(xcr0) is int


def test_it_reads_the_vendor_and_the_name_that_the_kernel_shows() -> None:
    leaves, _ = _binding.cpuid()
    _, ebx, ecx, edx = leaves[0, 0]
    assert text(ebx, edx, ecx) == cpuinfo()["vendor_id"]
    brand = [each for leaf in (0x80000002, 0x80000003, 0x80000004) for each in leaves[leaf, 0]]
    assert text(*brand) == cpuinfo()["model name"]


def test_no_leaf_above_the_largest_is_asked() -> None:
    leaves, _ = _binding.cpuid()
    assert {leaf for leaf, _ in leaves} <= LEAVES
    assert all(leaf <= leaves[0, 0][0] for leaf, _ in leaves if leaf < 0x40000000)
    assert all(leaf <= leaves[0x80000000, 0][0] for leaf, _ in leaves if leaf >= 0x80000000)
    assert ((7, 1) in leaves) == (leaves[7, 0][0] >= 1)


def test_xcr0_is_read_only_where_the_system_has_enabled_it() -> None:
    """XGETBV faults without OSXSAVE (numpy#15342)."""
    leaves, xcr0 = _binding.cpuid()
    osxsave = leaves[1, 0][2] >> 27 & 1
    assert (xcr0 is not None) == bool(osxsave)
    assert xcr0 is None or xcr0 & 1  # the x87 state cannot be switched off


def test_the_hypervisor_is_asked_for_its_name_only_where_there_is_one() -> None:
    leaves, _ = _binding.cpuid()
    assert ((0x40000000, 0) in leaves) == bool(leaves[1, 0][2] >> 31)
