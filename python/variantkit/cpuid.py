"""Decode a raw CPUID reading: instruction sets that the CPU has *and* whose registers the operating system saves.

Bits: Intel SDM volume 2A, "CPUID"; AMD APM volume 3, appendix E. The instruction itself is executed by the customer's
compiled extension; here is only arithmetic, so that any machine can be replayed.
"""

from __future__ import annotations

from variantkit._record import Record
from variantkit.features import consistent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Registers = tuple[int, int, int, int]

__all__ = ["BITS", "CpuFacts", "CpuidReading", "decode"]

_EAX, _EBX, _ECX, _EDX = range(4)

# (leaf, subleaf): register: {bit: name}
BITS: dict[tuple[int, int], dict[int, dict[int, str]]] = {
    (1, 0): {
        _ECX: {
            0: "pni", 1: "pclmulqdq", 9: "ssse3", 12: "fma", 13: "cx16", 19: "sse4_1", 20: "sse4_2", 22: "movbe",
            23: "popcnt", 25: "aes", 26: "xsave", 28: "avx", 29: "f16c", 30: "rdrand", 31: "hypervisor",
        },
        _EDX: {0: "fpu", 8: "cx8", 15: "cmov", 23: "mmx", 24: "fxsr", 25: "sse", 26: "sse2"},
    },
    (7, 0): {
        _EBX: {
            0: "fsgsbase", 3: "bmi1", 5: "avx2", 8: "bmi2", 9: "erms", 16: "avx512f", 17: "avx512dq", 18: "rdseed",
            19: "adx", 21: "avx512ifma", 23: "clflushopt", 24: "clwb", 26: "avx512pf", 27: "avx512er", 28: "avx512cd",
            29: "sha_ni", 30: "avx512bw", 31: "avx512vl",
        },
        _ECX: {
            1: "avx512vbmi", 5: "waitpkg", 6: "avx512_vbmi2", 8: "gfni", 9: "vaes", 10: "vpclmulqdq", 11: "avx512_vnni",
            12: "avx512_bitalg", 14: "avx512_vpopcntdq", 22: "rdpid", 27: "movdiri", 28: "movdir64b",
        },
        _EDX: {
            2: "avx512_4vnniw", 3: "avx512_4fmaps", 4: "fsrm", 8: "avx512_vp2intersect", 14: "serialize",
            22: "amx_bf16", 23: "avx512_fp16", 24: "amx_tile", 25: "amx_int8",
        },
    },
    (7, 1): {
        _EAX: {4: "avx_vnni", 5: "avx512_bf16", 21: "amx_fp16", 23: "avx_ifma"},
        _EDX: {4: "avx_vnni_int8", 5: "avx_ne_convert"},
    },
    (13, 1): {_EAX: {0: "xsaveopt", 1: "xsavec", 2: "xgetbv1", 3: "xsaves"}},
    (0x80000001, 0): {
        _ECX: {0: "lahf_lm", 5: "abm", 6: "sse4a", 11: "xop", 16: "fma4", 21: "tbm"},
        _EDX: {22: "mmxext", 29: "lm", 30: "3dnowext", 31: "3dnow"},
    },
}  # fmt: skip

_OSXSAVE = 1 << 27

# Bits of XCR0 that must all be set, and the feature that stands for everything that needs those registers.
_STATE = (
    (0x6, "avx"),  # XMM, YMM
    (0xE6, "avx512f"),  # and opmask, upper ZMM, ZMM16-31
    (0x60000, "amx_tile"),  # tile configuration, tile data
)


class CpuidReading(Record):
    """What the instruction said: registers (eax, ebx, ecx, edx) by (leaf, subleaf), and XCR0.

    `xcr0` is None when OSXSAVE is not set: XGETBV itself faults then (numpy/numpy#15342).
    """

    leaves: Mapping[tuple[int, int], Registers]
    xcr0: int | None = None


class CpuFacts(Record):
    """A decoded reading; `withheld` are the features that the CPU has and the operating system does not enable."""

    features: frozenset[str]
    vendor: str = ""
    brand: str = ""
    hypervisor: bool = False
    withheld: tuple[str, ...] = ()


def decode(reading: CpuidReading, *, lazy_avx512: bool = False) -> CpuFacts:
    """Return the features of a reading that the operating system supports.

    AVX counts only with OSXSAVE and XCR0[2:1], AVX-512 only with XCR0[7:5] too (ggml-org/llama.cpp#28328).
    `lazy_avx512` leaves that second test out: macOS sets those bits when a thread first uses AVX-512 (golang/go#43089),
    so that there only the kernel's own list can tell.
    """
    leaves = reading.leaves
    raw = {
        name
        for key, registers in BITS.items()
        if _answered(leaves, key)
        for register, bits in registers.items()
        for bit, name in bits.items()
        if leaves[key][register] >> bit & 1
    }
    osxsave = bool(leaves.get((1, 0), (0, 0, 0, 0))[_ECX] & _OSXSAVE)
    xcr0 = (reading.xcr0 or 0) if osxsave else 0
    usable = set(raw)
    if not osxsave:
        usable.discard("xsave")
    for mask, name in _STATE:
        if xcr0 & mask != mask and not (lazy_avx512 and name == "avx512f"):
            usable.discard(name)
    believed = consistent(raw)
    features = consistent(usable)
    return CpuFacts(
        features=features,
        vendor=_vendor(leaves),
        brand=_brand(leaves),
        hypervisor="hypervisor" in raw,
        withheld=tuple(sorted(believed - features)),
    )


def _answered(leaves: Mapping[tuple[int, int], Registers], key: tuple[int, int]) -> bool:
    # Above its highest leaf, an Intel CPU answers with the data of the highest one: random features.
    if key not in leaves:
        return False
    highest = leaves.get((key[0] & 0x80000000, 0))
    return highest is None or key[0] <= highest[_EAX]


def _text(*registers: int) -> str:
    raw = b"".join(register.to_bytes(4, "little") for register in registers)
    return raw.split(b"\0")[0].decode("latin-1").strip()


def _vendor(leaves: Mapping[tuple[int, int], Registers]) -> str:
    if (0, 0) not in leaves:
        return ""
    _, ebx, ecx, edx = leaves[0, 0]
    return _text(ebx, edx, ecx)


def _brand(leaves: Mapping[tuple[int, int], Registers]) -> str:
    keys = [(leaf, 0) for leaf in (0x80000002, 0x80000003, 0x80000004)]
    if not all(_answered(leaves, key) for key in keys):
        return ""
    return " ".join(_text(*(register for key in keys for register in leaves[key])).split())
