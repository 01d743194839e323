"""What an instruction needs of a CPU: iced-x86's answer in the spelling of `variantkit.features`.

iced-x86 says for each of its instruction codes which CPUID features it belongs to. What every 64-bit CPU can run needs
nothing here, and neither do the hints that older CPUs run as a NOP. A name that this table does not have becomes
`unknown:NAME`, which no label allows, so that a newer iced-x86 cannot bring an instruction that is passed over.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, cast

from variantkit.features import BASELINE

if TYPE_CHECKING:
    from iced_x86 import Code_

__all__ = ["ENCODINGS", "UNKNOWN", "Codes", "codes"]

UNKNOWN = "unknown:"
"""How the name of a feature begins that this version does not know."""

ENCODINGS = ("VEX", "EVEX")

# Every x86-64 CPU has these, or they are for the kernel, or for a mode that a 64-bit process is never in.
_NOTHING = """
    INTEL8086 INTEL186 INTEL286 INTEL386 INTEL486 X64 CPUID CLFSH FPU287 FPU387 TSC RDPMC SEP SYSCALL
"""
# Hints in the space of NOPs: an older CPU runs `endbr64`, `prefetchw`, `cldemote` or `bndmk` and does nothing.
_HINTS = "CET_IBT MULTIBYTENOP PAUSE PREFETCHW PREFETCHWT1 PREFETCHITI CLDEMOTE MPX"

_SPELLING = {
    **dict.fromkeys((_NOTHING + _HINTS).split(), ""),
    "AVX512_IFMA": "avx512ifma",
    "AVX512_VBMI": "avx512vbmi",
    "CET_SS": "user_shstk",
    "CMPXCHG16B": "cx16",
    "D3NOW": "3dnow",
    "D3NOWEXT": "3dnowext",
    "HLE_OR_RTM": "rtm",
    "LZCNT": "abm",
    "MONITORX": "mwaitx",
    "PADLOCK_ACE": "ace",
    "PADLOCK_PHE": "phe",
    "PADLOCK_PMM": "pmm",
    "PADLOCK_RNG": "rng",
    "PKU": "ospke",
    "SHA": "sha_ni",
    "SSE3": "pni",
}
# These are spelled as Linux spells them, in capitals.
_SAME = """
    ADX AES AMX_BF16 AMX_COMPLEX AMX_FP16 AMX_INT8 AMX_TILE AVX AVX2 AVX512BW AVX512CD AVX512DQ AVX512ER AVX512F
    AVX512PF AVX512VL AVX512_4FMAPS AVX512_4VNNIW AVX512_BF16 AVX512_BITALG AVX512_FP16 AVX512_VBMI2 AVX512_VNNI
    AVX512_VP2INTERSECT AVX512_VPOPCNTDQ AVX_IFMA AVX_NE_CONVERT AVX_VNNI AVX_VNNI_INT16 AVX_VNNI_INT8 BMI1 BMI2
    CLFLUSHOPT CLWB CLZERO CMOV CMPCCXADD CX8 ENQCMD F16C FMA FMA4 FPU FSGSBASE FXSR GFNI LWP MMX MOVBE MOVDIR64B
    MOVDIRI PCLMULQDQ POPCNT PTWRITE RAO_INT RDPID RDPRU RDRAND RDSEED RDTSCP RTM SERIALIZE SHA512 SM3 SM4 SSE SSE2
    SSE4A SSE4_1 SSE4_2 SSSE3 TBM TSXLDTRK UINTR VAES VPCLMULQDQ WAITPKG XOP XSAVE XSAVEC XSAVEOPT XSAVES
"""
_SPELLING.update({name: name.lower() for name in _SAME.split()})

# iced-x86 counts these as the 8086's, but early 64-bit CPUs lacked them in 64-bit mode.
_SPECIAL = {"LAHF": {"lahf_lm"}, "SAHF": {"lahf_lm"}}
# Reads the shadow stack pointer, and is a NOP where there is none; code asks with it before it uses one.
_NOTHING_AFTER_ALL = ("RDSSPD_R32", "RDSSPQ_R64")

# What a program never holds, but data does that is decoded by mistake. It is believed only where control flow leads.
_ODD = "KNC D3NOW D3NOWEXT SMM SMX VMX SVM SKINIT_OR_SVM SGX1 TDX SEV_ES SEV_SNP PADLOCK_UNDOC UDBG FRED"
_ODD_NAMES = ("IN_", "OUT_", "INSB", "INSW", "INSD", "OUTS", "RETF", "IRET", "SYSRET", "SYSEXIT", "INT1", "ENTER")
# `int` has its uses (0x29 in Windows, 0x80), and `hlt` stands behind calls that do not come back.
_USER_MODE = ("HLT", "UD2")
# Nothing odd, but hardly ever in code, and often in tables: bytes of one opcode each, and what zeros are read as.
_UNLIKELY = (
    "HLT", "UD0", "UD1", "UD2", "INT", "CLI", "STI", "CLD", "STD", "CMC", "STC", "CLC", "LAHF", "SAHF", "XLAT", "LOOP", "JRCXZ",
    "JECXZ", "LODS", "SCAS", "CMPSB", "CMPSW", "CMPSD_M", "CMPSQ", "JMP_M16", "CALL_M16", "RETNW", "RETNQ_IMM", "ADD_RM8_R8", "FISTTP",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Codes:
    """What is known of each iced-x86 code, as tables that are indexed by it: `kinds` has one bit per question."""

    kinds: bytes
    linear: bytes
    """The same without the bits that only matter where control flow is followed."""
    features: tuple[frozenset[str], ...]
    """What a code needs beyond what every x86-64 CPU has."""
    vectors: tuple[tuple[str, int] | None, ...]
    """Encoding and width in bits of vector instructions encoded as VEX or EVEX."""

    NEEDS = 1
    COUNTED = 2
    BRANCH = 4
    CALL = 8
    ODD = 16
    RARE = 32
    """Calls through memory, and CPUID and RDSSP, whose answers say whether XGETBV and the shadow stack may be used."""
    ENDS = 64
    """Nothing falls through to what follows."""
    NOP = 128

    invalid: int
    tzcnt: frozenset[int]
    """CPUs without BMI1 run these as BSF, with the same result for every input but 0."""
    through: frozenset[int]
    """Jumps and calls through memory."""
    xgetbv: int
    cpuid: int
    rdssp: frozenset[int]
    unlikely: frozenset[int]
    """What compilers hardly ever write, and bytes that are data are often read as."""


@functools.cache
def codes() -> Codes:
    """Return the tables; they are made once."""
    import iced_x86

    names = {value: name for name, value in vars(iced_x86.Code).items() if isinstance(value, int)}
    iced = {value: name for name, value in vars(iced_x86.CpuidFeature).items() if isinstance(value, int)}
    size = max(names) + 1
    kinds, needs, vectors = bytearray(size), [frozenset[str]()] * size, [_NO_VECTOR] * size
    instruction = iced_x86.Instruction()
    for number, name in names.items():
        code = cast("Code_", number)
        info = iced_x86.OpCodeInfo(code)
        if not (info.is_instruction and info.mode64):
            kinds[code] = Codes.ODD | Codes.ENDS
            continue
        instruction.code = code
        belongs = [iced[feature] for feature in instruction.cpuid_features()]
        needs[code] = _features(name, belongs)
        vectors[code] = _vector(name)
        kinds[code] = _kind(name, belongs, info, instruction.flow_control)
        if needs[code]:
            kinds[code] |= Codes.NEEDS
        if vectors[code]:
            kinds[code] |= Codes.COUNTED
    found = iced_x86.Code
    return Codes(
        kinds=bytes(kinds),
        linear=bytes(kind & ~(Codes.ENDS | Codes.NOP) for kind in kinds),
        features=tuple(needs),
        vectors=tuple(vectors),
        invalid=found.INVALID,
        tzcnt=frozenset({found.TZCNT_R16_RM16, found.TZCNT_R32_RM32, found.TZCNT_R64_RM64}),
        through=frozenset({found.JMP_RM64, found.CALL_RM64}),
        xgetbv=found.XGETBV,
        cpuid=found.CPUID,
        rdssp=frozenset({found.RDSSPD_R32, found.RDSSPQ_R64}),
        unlikely=frozenset(number for number, name in names.items() if name.startswith(_UNLIKELY)),
    )


_NO_VECTOR: tuple[str, int] | None = None


def _features(name: str, belongs: list[str]) -> frozenset[str]:
    if name in _NOTHING_AFTER_ALL:
        return frozenset()
    found = {_SPELLING.get(feature, UNKNOWN + feature) for feature in belongs} | _SPECIAL.get(
        name.partition("_")[0], set()
    )
    return frozenset(found - {""} - BASELINE["x86_64"])


def _vector(name: str) -> tuple[str, int] | None:
    encoding = name.partition("_")[0]
    if encoding not in ENCODINGS or "_KNC_" in name:
        return None
    width = next((width for word, width in (("ZMM", 512), ("YMM", 256), ("XMM", 128)) if word in name), 0)
    # Memory operands name a width too (vmovups m512, zmm), but a register is always there as well. Gathers have VM32Y.
    return (encoding, width) if width else None


def _kind(name: str, belongs: list[str], info: object, flow: int) -> int:
    from iced_x86 import FlowControl

    kind = 0
    if flow in {FlowControl.CONDITIONAL_BRANCH, FlowControl.UNCONDITIONAL_BRANCH, FlowControl.XBEGIN_XABORT_XEND}:
        kind |= Codes.BRANCH if "REL" in name else 0
    if flow == FlowControl.CALL and "REL" in name:
        kind |= Codes.CALL
    if flow in {FlowControl.UNCONDITIONAL_BRANCH, FlowControl.INDIRECT_BRANCH, FlowControl.RETURN}:
        kind |= Codes.ENDS
    if name.startswith("UD") or name == "HLT":
        kind |= Codes.ENDS
    odd = set(_ODD.split()).intersection(belongs) or name.startswith(_ODD_NAMES)
    privileged = bool(getattr(info, "must_be_cpl0", False)) and name not in _USER_MODE
    if odd or privileged:
        kind |= Codes.ODD
    if name in {"CPUID", "JMP_RM64", "CALL_RM64", *_NOTHING_AFTER_ALL}:
        kind |= Codes.RARE
    if name.startswith(("NOP", "INT3", "ENDBR", "PAUSE")):
        kind |= Codes.NOP
    return kind
