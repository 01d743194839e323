"""CPU feature names (those of Linux's /proc/cpuinfo), the x86-64 levels, and what a feature implies.

Levels: https://gitlab.com/x86-psABIs/x86-64-ABI, section 3.1.1. The psABI's SSE3 is `pni` here, its LZCNT is `abm`, and
its OSXSAVE is `xsave`: Linux lists that one only when it uses it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AARCH64", "ARCHITECTURES", "BASELINE", "CODE_ONLY", "IMPLIES", "KNOWN", "LEVELS", "X86", "consistent"]

_V1 = frozenset({"cmov", "cx8", "fpu", "fxsr", "mmx", "sse", "sse2"})
_V2 = _V1 | {"cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"}
_V3 = _V2 | {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}
_V4 = _V3 | {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ARMV8 = frozenset({"asimd", "fp"})

LEVELS: dict[str, frozenset[str]] = {
    "armv8-a": _ARMV8,
    "x86-64": _V1,
    "x86-64-v2": _V2,
    "x86-64-v3": _V3,
    "x86-64-v4": _V4,
}
"""The complete feature set of each level that a classifier can be compiled for."""

ARCHITECTURES: dict[str, tuple[str, ...]] = {
    level: ("aarch64", "arm64") if level.startswith("arm") else ("x86_64",) for level in LEVELS
}
"""The machines that each level is of, as platforms spell them."""

IMPLIES: dict[str, tuple[str, ...]] = {
    "sse": ("fxsr",),
    "sse2": ("sse",),
    "pni": ("sse2",),
    "ssse3": ("pni",),
    "sse4_1": ("ssse3",),
    "sse4_2": ("sse4_1",),
    "sse4a": ("pni",),
    "aes": ("sse2",),
    "gfni": ("sse2",),
    "pclmulqdq": ("sse2",),
    "sha_ni": ("sse2",),
    "xsavec": ("xsave",),
    "xsaveopt": ("xsave",),
    "avx": ("sse4_2", "xsave"),
    "avx2": ("avx",),
    "f16c": ("avx",),
    "fma": ("avx",),
    "fma4": ("avx",),
    "xop": ("avx",),
    "vaes": ("aes", "avx"),
    "vpclmulqdq": ("avx", "pclmulqdq"),
    "avx_ifma": ("avx2",),
    "avx_ne_convert": ("avx2",),
    "avx_vnni": ("avx2",),
    "avx_vnni_int8": ("avx2",),
    "avx512f": ("avx2", "f16c", "fma"),
    "avx512_4fmaps": ("avx512f",),
    "avx512_4vnniw": ("avx512f",),
    "avx512bw": ("avx512f",),
    "avx512cd": ("avx512f",),
    "avx512dq": ("avx512f",),
    "avx512er": ("avx512f",),
    "avx512ifma": ("avx512f",),
    "avx512pf": ("avx512f",),
    "avx512vl": ("avx512f",),
    "avx512_vnni": ("avx512f",),
    "avx512_vp2intersect": ("avx512f",),
    "avx512_vpopcntdq": ("avx512f",),
    "avx512vbmi": ("avx512bw",),
    "avx512_bf16": ("avx512bw",),
    "avx512_bitalg": ("avx512bw",),
    "avx512_vbmi2": ("avx512bw",),
    "avx512_fp16": ("avx512bw", "avx512dq", "avx512vl"),
    "amx_bf16": ("amx_tile",),
    "amx_fp16": ("amx_tile",),
    "amx_int8": ("amx_tile",),
    "asimd": ("fp",),
    "asimddp": ("asimd",),
    "asimdfhm": ("asimdhp",),
    "asimdhp": ("asimd", "fphp"),
    "asimdrdm": ("asimd",),
    "sve": ("asimd",),
    "sve2": ("sve",),
    "svebf16": ("sve",),
    "svei8mm": ("sve",),
}
"""What must be there too before a feature is believed; one step, `consistent` repeats it."""

X86: frozenset[str] = _V4 | _words(
    """
    3dnow 3dnowext mmxext sse4a fma4 tbm xop
    aes gfni pclmulqdq sha_ni vaes vpclmulqdq
    adx clflushopt clwb erms fsgsbase fsrm hypervisor lm movdir64b movdiri rdpid rdrand rdseed serialize waitpkg
    xgetbv1 xsavec xsaveopt xsaves
    avx_ifma avx_ne_convert avx_vnni avx_vnni_int8
    avx512er avx512ifma avx512pf avx512vbmi avx512_4fmaps avx512_4vnniw avx512_bf16 avx512_bitalg avx512_fp16
    avx512_vbmi2 avx512_vnni avx512_vp2intersect avx512_vpopcntdq
    amx_bf16 amx_fp16 amx_int8 amx_tile
    """
)
"""The x86 features that a classifier may ask for and that detection reads."""

AARCH64: frozenset[str] = _words(
    """
    fp asimd aes pmull sha1 sha2 sha3 sha512 sm3 sm4 crc32 atomics fphp asimdhp asimdrdm asimddp asimdfhm
    jscvt fcma lrcpc ilrcpc dcpop dcpodp bf16 i8mm flagm flagm2 frint dit uscat ssbs sb rng paca pacg bti
    sve sve2 svebf16 svei8mm sme
    """
)
"""The 64-bit Arm features that a classifier may ask for and that detection reads."""

KNOWN: frozenset[str] = X86 | AARCH64
"""All names that may appear in a matrix."""

CODE_ONLY: frozenset[str] = _words(
    """
    ace amx_complex avx_vnni_int16 clzero cmpccxadd enqcmd lwp mwaitx ospke phe pmm ptwrite rao_int rdpru rdtscp rng rtm
    sha512 sm3 sm4 tsxldtrk uintr user_shstk
    """
)
"""Further x86 features that code may need: an audit knows them, no classifier asks for them, detection does not look."""

BASELINE: dict[str, frozenset[str]] = {
    "x86_64": _V1,
    "aarch64": _ARMV8,
    "arm64": _ARMV8,
}
"""What a 64-bit process cannot run without, by machine; it holds even where nothing could be read."""


def consistent(features: Iterable[str]) -> frozenset[str]:
    """Return the features without those whose implied ones are missing, to the end of the chain.

    Firmware and hypervisors do report an AVX2 bit without the AVX bit (awslabs/aws-c-common#858).
    """
    kept = set(features)
    while True:
        broken = [name for name in kept if name in IMPLIES and not kept.issuperset(IMPLIES[name])]
        if not broken:
            return frozenset(kept)
        kept.difference_update(broken)
