"""What the macOS kernel says about the CPU: sysctlbyname(3), called in this process."""

from __future__ import annotations

from variantkit.host import Reading, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Sysctl: TypeAlias = "Callable[[str], str | int | None]"

__all__ = ["NAMES", "read_macos"]

NAMES: dict[str, str] = {
    "avx1.0": "avx",
    "clfsh": "clflush",
    "clfsopt": "clflushopt",
    "em64t": "lm",
    "lahf": "lahf_lm",
    "lzcnt": "abm",
    "rdwrfsgs": "fsgsbase",
    "sha": "sha_ni",
    "sse3": "pni",
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
    "vmm": "hypervisor",
    "avx512bf16": "avx512_bf16",
    "avx512bitalg": "avx512_bitalg",
    "avx512vbmi2": "avx512_vbmi2",
    "avx512vnni": "avx512_vnni",
    "avx512vpopcntdq": "avx512_vpopcntdq",
}
"""Apple's spelling, in lower case, where it differs from Linux's."""

_X86_LISTS = ("machdep.cpu.features", "machdep.cpu.leaf7_features", "machdep.cpu.extfeatures")

# hw.optional.<name> is 1 where the *system* supports it too; that is how Apple tells about lazily enabled AVX-512.
_X86_OPTIONAL = ("avx512f", "avx512cd", "avx512dq", "avx512bw", "avx512vl", "avx512ifma", "avx512vbmi")

_ARM_OPTIONAL = {
    "floatingpoint": "fp",
    "neon": "asimd",
    "neon_fp16": "asimdhp",
    "neon_hpfp": "fphp",
    "armv8_1_atomics": "atomics",
    "armv8_crc32": "crc32",
    "armv8_2_fhm": "asimdfhm",
    "armv8_2_sha512": "sha512",
    "armv8_2_sha3": "sha3",
    "arm.FEAT_BF16": "bf16",
    "arm.FEAT_DotProd": "asimddp",
    "arm.FEAT_FCMA": "fcma",
    "arm.FEAT_I8MM": "i8mm",
    "arm.FEAT_JSCVT": "jscvt",
    "arm.FEAT_RDM": "asimdrdm",
}


def read_macos(sysctl: Sysctl | None = None) -> Reading | None:
    """Read the kernel's list; `sysctl` returns the value of a name, or None where there is no such name."""
    ask = _sysctl() if sysctl is None else sysctl
    lists = [ask(name) for name in _X86_LISTS]
    if any(isinstance(value, str) for value in lists):
        words = " ".join(value for value in lists if isinstance(value, str)).lower().split()
        features = {NAMES.get(word, word) for word in words}
        features -= {name for name in features if name.startswith("avx512")}
        features |= {name for name in _X86_OPTIONAL if ask(f"hw.optional.{name}") == 1}
    else:
        features = {name for key, name in _ARM_OPTIONAL.items() if ask(f"hw.optional.{key}") == 1}
    if not features:
        return None
    return Reading(
        source=Source(name="kernel", features=frozenset(features)),
        vendor=str(ask("machdep.cpu.vendor") or ""),
        brand=str(ask("machdep.cpu.brand_string") or ""),
        hypervisor="hypervisor" in features,
        translated=ask("sysctl.proc_translated") == 1,
    )


def _sysctl() -> Sysctl:
    import ctypes

    function = ctypes.CDLL(None).sysctlbyname

    def ask(name: str) -> str | int | None:
        size = ctypes.c_size_t(0)
        if function(name.encode(), None, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
            return None
        buffer = ctypes.create_string_buffer(size.value)
        if function(name.encode(), buffer, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
            return None
        # sysctl tells no type; the numbers asked for here are 4 or 8 bytes, and none of the texts is so short.
        if size.value in (4, 8) and not name.startswith("machdep."):
            return int.from_bytes(buffer.raw[: size.value], "little")
        return buffer.value.decode("latin-1")

    return ask
