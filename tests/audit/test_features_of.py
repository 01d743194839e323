"""What each instruction needs, in the spelling of the matrix."""

from __future__ import annotations

import iced_x86
import pytest

from machine_code import assembled, features, function, needs
from variantkit.audit.features_of import _UNLIKELY, UNKNOWN, codes
from variantkit.features import BASELINE, CODE_ONLY, IMPLIES, KNOWN, LEVELS, X86

NAMES = {value: name for name, value in vars(iced_x86.Code).items() if isinstance(value, int)}

INSTRUCTIONS = {
    "addps xmm0, xmm1": "",
    "mulsd xmm0, xmm1": "",
    "cmovz eax, edx": "",
    "cmpxchg8b [rdi]": "",
    "fxsave [rdi]": "",
    "clflush [rdi]": "",
    "fld st(1)": "",
    # Hints that older CPUs run as NOPs, and what every 64-bit CPU has.
    "endbr64": "",
    "nop word ptr [rax+rax]": "",
    "pause": "",
    "prefetcht0 [rdi]": "",
    "prefetchw [rdi]": "",
    "prefetchwt1 [rdi]": "",
    "cldemote [rdi]": "",
    "bndmov bnd0, bnd1": "",
    "rdtsc": "",
    "cpuid": "",
    "syscall": "",
    "rdsspq rax": "",
    "bsf eax, edx": "",
    "lahf": "lahf_lm",
    "sahf": "lahf_lm",
    "cmpxchg16b [rdi]": "cx16",
    "haddps xmm0, xmm1": "pni",
    "fisttp dword ptr [rdi]": "pni",
    "pshufb xmm0, xmm1": "ssse3",
    "pmulld xmm0, xmm1": "sse4_1",
    "crc32 eax, edx": "sse4_2",
    "popcnt eax, edx": "popcnt",
    # Older CPUs run LZCNT as BSR, without a word and with another result.
    "lzcnt eax, edx": "abm",
    "andn eax, edx, ecx": "bmi1",
    "blsr eax, edx": "bmi1",
    "pext eax, edx, ecx": "bmi2",
    "movbe eax, [rdi]": "movbe",
    "xgetbv": "xsave",
    "xsave [rdi]": "xsave",
    "xsavec [rdi]": "xsavec",
    "rdtscp": "rdtscp",
    "rdrand eax": "rdrand",
    "rdpid rax": "rdpid",
    "xbegin 0": "rtm",
    "xtest": "rtm",
    "incsspq rax": "user_shstk",
    "femms": "3dnow",
    "pswapd mm0, mm1": "3dnowext",
    "extrq xmm0, xmm1": "sse4a",
    "insertq xmm0, xmm1": "sse4a",
    "vfmaddps xmm0, xmm1, xmm2, xmm3": "fma4",
    "vpcmov xmm0, xmm1, xmm2, xmm3": "xop",
    "aesenc xmm0, xmm1": "aes",
    "vaesenc xmm0, xmm1, xmm2": "aes avx",
    "vaesenc ymm0, ymm1, ymm2": "vaes",
    "sha256rnds2 xmm0, xmm1": "sha_ni",
    "gf2p8mulb xmm0, xmm1": "gfni",
    "vzeroupper": "avx",
    "vaddps xmm0, xmm1, xmm2": "avx",
    "vaddps ymm0, ymm1, ymm2": "avx",
    "vpaddd xmm0, xmm1, xmm2": "avx",
    "vpaddd ymm0, ymm1, ymm2": "avx2",
    "vpbroadcastq ymm0, xmm0": "avx2",
    "vfmadd213ps ymm0, ymm1, ymm2": "fma",
    "vcvtph2ps ymm0, xmm1": "f16c",
    "vaddps zmm0, zmm1, zmm2": "avx512f",
    # On narrower registers, AVX-512 needs VL as well.
    "vaddps ymm0{k1}, ymm1, ymm2": "avx512f avx512vl",
    "vpaddb zmm0, zmm1, zmm2": "avx512bw",
    "vpaddb xmm0{k1}, xmm1, xmm2": "avx512bw avx512vl",
    "vandps zmm0, zmm1, zmm2": "avx512dq",
    "vplzcntd zmm0, zmm1": "avx512cd",
    "kmovw k1, eax": "avx512f",
    "kmovd k1, eax": "avx512bw",
    "vpmadd52luq zmm0, zmm1, zmm2": "avx512ifma",
    "vpermb zmm0, zmm1, zmm2": "avx512vbmi",
    "vpdpbusd zmm0, zmm1, zmm2": "avx512_vnni",
    "{vex} vpdpbusd ymm0, ymm1, ymm2": "avx_vnni",
    "vdpbf16ps zmm0, zmm1, zmm2": "avx512_bf16 avx512f",
    "vaddph zmm0, zmm1, zmm2": "avx512_fp16",
    "tilezero tmm0": "amx_tile",
    "tdpbssd tmm0, tmm1, tmm2": "amx_int8",
}


@pytest.fixture(scope="module")
def found(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    source = "\n".join(function(f"f{number}", f"{text}; ret") for number, text in enumerate(INSTRUCTIONS))
    return features(needs(assembled(compiler, tmp_path_factory.mktemp("features"), source)))


@pytest.mark.parametrize("text", INSTRUCTIONS)
def test_instructions(found: dict[str, set[str]], text: str) -> None:
    assert found[f"f{list(INSTRUCTIONS).index(text)}"] == set(INSTRUCTIONS[text].split())


def test_all_that_is_said_is_a_feature_of_the_matrix_or_known_to_be_none() -> None:
    spelled = {feature for each in codes().features for feature in each if not feature.startswith(UNKNOWN)}
    assert spelled <= KNOWN | CODE_ONLY
    assert spelled.isdisjoint(BASELINE["x86_64"])
    assert not CODE_ONLY & X86
    # All that a level adds is found by some instruction.
    assert LEVELS["x86-64-v4"] - BASELINE["x86_64"] <= spelled
    # What is implied has to be spelled the same way, or a level that is computed from it is wrong.
    assert {implied for name in spelled for implied in IMPLIES.get(name, ())} <= KNOWN


def test_what_iced_x86_knows_and_this_table_does_not_is_for_kernels_only() -> None:
    table = codes()
    unknown = {
        feature.removeprefix(UNKNOWN)
        for code, each in enumerate(table.features)
        for feature in each
        if feature.startswith(UNKNOWN) and not table.kinds[code] & table.ODD
    }
    # An iced-x86 that brings more than these has brought a feature which the table should spell.
    assert unknown <= {
        "AESKLE", "HRESET", "INVLPGB", "KL", "MCOMMIT", "MONITOR", "MSRLIST", "OSS", "PADLOCK_GMI", "PCOMMIT", "RMPQUERY",
        "WIDE_KL",
    }  # fmt: skip


def test_every_code_has_its_place_in_each_table() -> None:
    table = codes()
    assert len(table.kinds) == len(table.linear) == len(table.features) == len(table.vectors) == max(NAMES) + 1
    for code, name in NAMES.items():
        vector = table.vectors[code]
        if vector is not None:
            assert table.features[code], name
            assert name.startswith(f"{vector[0]}_"), name
    assert table.vectors[iced_x86.Code.VEX_VPADDD_YMM_YMM_YMMM256] == ("VEX", 256)
    assert table.vectors[iced_x86.Code.EVEX_VADDPS_ZMM_K1Z_ZMM_ZMMM512B32_ER] == ("EVEX", 512)
    assert table.vectors[iced_x86.Code.VEX_ANDN_R32_R32_RM32] is None


def test_what_is_hardly_ever_code_is_spelled_as_iced_x86_does() -> None:
    spelled = {NAMES[code] for code in codes().unlikely}
    assert all(any(name.startswith(begin) for name in spelled) for begin in _UNLIKELY)
    # What compilers do write, and the vector instructions with the names of string instructions.
    written = {
        "CMPSD_XMM_XMMM64_IMM8",
        "RETNQ",
        "JMP_RM64",
        "CALL_RM64",
        "ADD_R8_RM8",
        "ADD_RM32_R32",
        "VEX_VPADDD_YMM_YMM_YMMM256",
    }
    assert spelled.isdisjoint(written)
    assert written <= set(NAMES.values())
