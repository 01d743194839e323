from __future__ import annotations

import pytest

from hosts import RECORDED
from variantkit.cpuid import BITS, CpuidReading, decode
from variantkit.features import LEVELS, X86
from variantkit.hostfile import _encoded

OSXSAVE = 1 << 27
V4 = LEVELS["x86-64-v4"]


def reading(*features: str, xcr0: int | None) -> CpuidReading:
    return CpuidReading(leaves=_encoded("GenuineIntel", [*features]), xcr0=xcr0)


def test_the_table_has_every_x86_feature_once() -> None:
    names = [name for registers in BITS.values() for bits in registers.values() for name in bits.values()]
    assert sorted(names) == sorted(X86)


def test_a_recorded_reading() -> None:
    facts = decode(RECORDED["windows-broadwell"].cpuid or CpuidReading(leaves={}))
    assert facts.vendor == "GenuineIntel"
    assert facts.brand == "Intel(R) Core(TM) i7-5500U CPU @ 2.40GHz"
    assert not facts.hypervisor
    assert facts.withheld == ()
    assert LEVELS["x86-64-v3"] <= facts.features
    assert not any(name.startswith("avx512") for name in facts.features)


@pytest.mark.parametrize("name", sorted(X86))
def test_every_bit_is_read(name: str) -> None:
    facts = decode(reading(*(X86 - {name}), "osxsave", xcr0=0x600E7))
    assert name not in facts.features
    facts = decode(reading(*X86, "osxsave", xcr0=0x600E7))
    assert name in facts.features


def test_llama_cpp_28328_cpuid_has_avx2_but_the_system_enables_no_state() -> None:
    recorded = RECORDED["guest-clearcpuid-xsave"].cpuid
    assert recorded is not None
    ecx, ebx7 = recorded.leaves[1, 0][2], recorded.leaves[7, 0][1]
    assert (ecx >> 26 & 1, ecx >> 27 & 1, ebx7 >> 5 & 1, recorded.xcr0) == (1, 0, 1, None)  # XSAVE, OSXSAVE, AVX2
    facts = decode(recorded)
    assert {"avx", "avx2", "fma", "f16c", "xsave"}.isdisjoint(facts.features)
    assert {"avx", "avx2", "fma", "f16c", "xsave"} <= set(facts.withheld)
    # The same where something reports a zero for XCR0.
    assert decode(recorded.replace(xcr0=0)).features == facts.features


def test_numpy_15342_xcr0_counts_only_with_osxsave() -> None:
    assert "avx" not in decode(reading(*V4, xcr0=0xE7)).features
    assert decode(reading(*V4, "osxsave", xcr0=None)).features == decode(reading(*V4, "osxsave", xcr0=0)).features


@pytest.mark.parametrize(
    ("xcr0", "level"),
    [
        (0x0, "x86-64-v2"),
        (0x1, "x86-64-v2"),
        (0x3, "x86-64-v2"),  # XMM only
        (0x5, "x86-64-v2"),  # YMM without XMM
        (0x7, "x86-64-v3"),
        (0x27, "x86-64-v3"),  # opmask only
        (0x67, "x86-64-v3"),  # no upper registers
        (0xC7, "x86-64-v3"),  # no opmask
        (0xE3, "x86-64-v2"),  # everything but YMM
        (0xE7, "x86-64-v4"),
        (0x602E7, "x86-64-v4"),
    ],
)
def test_base64_113_each_state_bit_is_required(xcr0: int, level: str) -> None:
    facts = decode(reading(*V4, "osxsave", xcr0=xcr0))
    assert max(name for name, features in LEVELS.items() if features <= facts.features) == level


def test_golang_43089_macos_enables_avx512_state_lazily() -> None:
    lazy = decode(reading(*V4, "osxsave", xcr0=0x7), lazy_avx512=True)
    assert lazy.features == V4
    # The states that are not lazy are still required.
    assert "avx" not in decode(reading(*V4, "osxsave", xcr0=0x3), lazy_avx512=True).features


def test_amx_needs_its_own_state() -> None:
    assert "amx_int8" not in decode(reading("amx_tile", "amx_int8", "osxsave", xcr0=0xE7)).features
    assert "amx_int8" in decode(reading("amx_tile", "amx_int8", "osxsave", xcr0=0x600E7)).features


def test_leaves_above_the_highest_are_not_believed() -> None:
    """An Intel CPU answers them with the data of its highest leaf."""
    leaves = {**_encoded("GenuineIntel", [*V4, "osxsave"])}
    leaves[0, 0] = (4, *leaves[0, 0][1:])
    leaves[0x80000000, 0] = (0x80000000, 0, 0, 0)
    facts = decode(CpuidReading(leaves=leaves, xcr0=0xE7))
    assert {"avx2", "bmi2", "abm", "lahf_lm"}.isdisjoint(facts.features)
    assert "avx" in facts.features


def test_an_empty_reading_says_nothing() -> None:
    facts = decode(CpuidReading(leaves={}))
    assert (facts.features, facts.vendor, facts.brand, facts.hypervisor) == (frozenset(), "", "", False)
