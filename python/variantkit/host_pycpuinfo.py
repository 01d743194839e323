"""py-cpuinfo as a source, without the processes it starts.

Importing it starts two already (`file`, `uname -p`, through `platform`), its CPUID reader may start `sestatus`, and
`get_cpu_info()` starts this interpreter again, in a frozen application for ever (Nuitka/Nuitka#3437). So its code is executed
in a private namespace, in which the modules that start processes cannot be had. Only two readers are called.
"""

from __future__ import annotations

import os
import sys

from variantkit.features import X86
from variantkit.host import Reading, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

__all__ = ["NAMES", "read_py_cpuinfo"]

NAMES: dict[str, str] = {
    "avx512bitalg": "avx512_bitalg",
    "avx512vbmi2": "avx512_vbmi2",
    "avx512vnni": "avx512_vnni",
    "avx512vpopcntdq": "avx512_vpopcntdq",
    "rdrnd": "rdrand",
    "sha": "sha_ni",
    "sse3": "pni",
}
"""py-cpuinfo's spelling where it differs from Linux's."""

# What its CPUID tables contain; about the rest of X86 that reader says nothing.
_SCOPE = X86 - frozenset(
    """
    3dnow 3dnowext amx_bf16 amx_fp16 amx_int8 amx_tile avx512_4fmaps avx512_4vnniw avx512_bf16 avx512_fp16
    avx512_vp2intersect avx_ifma avx_ne_convert avx_vnni avx_vnni_int8 fsgsbase fsrm lm mmxext movdir64b movdiri
    serialize waitpkg xgetbv1 xsavec xsaveopt xsaves
    """.split()  # noqa: SIM905 -- a list of words
)

# Each stands for registers that the operating system must save. This reader knows nothing of XCR0.
_STATE = frozenset({"avx", "avx512f"})


def read_py_cpuinfo() -> Reading | None:
    """Return what py-cpuinfo's in-process readers say, or None where it is not installed."""
    code = _code()
    return None if code is None else read_namespace(_execute(code))


def read_namespace(module: dict[str, Any]) -> Reading | None:
    """Ask the CPUID reader of an executed py-cpuinfo, and its /proc reader where there is one."""
    cpu = module["CPUID"].__new__(module["CPUID"])  # its __init__ only asks about SELinux, by running sestatus
    cpu.is_selinux_enforcing = False
    raw = {NAMES.get(name, name) for name in cpu.get_flags(cpu.get_max_extension_support())}
    features, scope = frozenset(raw & _SCOPE), _SCOPE
    listed = _proc_flags(module)
    if listed is not None:
        scope |= listed & X86
        features = frozenset(name for name in scope if name in listed and (name in raw or name not in _SCOPE))
    elif "osxsave" in raw:
        scope -= _STATE  # neither yes nor no: another source has to say it
    else:
        features -= _STATE
    return Reading(
        source=Source(name="py-cpuinfo", features=features, scope=scope),
        vendor=str(cpu.get_vendor_id()),
        hypervisor="hypervisor" in raw,
    )


def _proc_flags(module: dict[str, Any]) -> frozenset[str] | None:
    try:
        with open("/proc/cpuinfo", encoding="latin-1") as file:
            text = file.read()
    except OSError:
        return None
    module["DataSource"].cat_proc_cpuinfo = staticmethod(lambda: (0, text))
    flags = (module["_get_cpu_info_from_proc_cpuinfo"]() or {}).get("flags")
    # Under Rosetta or QEMU the file describes another kind of machine; every x86-64 kernel lists sse2.
    return frozenset(NAMES.get(name, name) for name in flags) if flags and "sse2" in flags else None


def _code() -> CodeType | None:
    """Find the installed module's code without importing it; its cached bytecode is used where there is one."""
    from importlib.machinery import PathFinder, SourceFileLoader

    package = PathFinder.find_spec("cpuinfo")
    if package is None or package.submodule_search_locations is None:
        return None
    module = PathFinder.find_spec("cpuinfo.cpuinfo", list(package.submodule_search_locations))
    if module is None or not isinstance(module.loader, SourceFileLoader):
        return None
    return module.loader.get_code("cpuinfo.cpuinfo")


def _execute(code: CodeType) -> dict[str, Any]:
    import builtins

    harmless = {"platform": _Platform, "multiprocessing": _Multiprocessing}

    def import_(name: str, *details: Any) -> Any:
        if name in harmless:
            return harmless[name]
        if name in ("os", "sys", "ctypes", "mmap", "re", "io", "datetime"):
            return __import__(name, *details)
        msg = f"py-cpuinfo is not given {name}, which could start a process"
        raise ImportError(msg)

    namespace = {"__name__": "variantkit._py_cpuinfo", "__builtins__": {**vars(builtins), "__import__": import_}}
    exec(code, namespace)  # noqa: S102 -- an installed package, as importing it would execute it
    return namespace


class _Platform:
    """The part of `platform` that py-cpuinfo asks while it is imported."""

    @staticmethod
    def architecture() -> tuple[str, str]:
        return ("64bit" if sys.maxsize > 2**32 else "32bit", "")

    @staticmethod
    def system() -> str:
        return {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}.get(sys.platform, sys.platform)

    @staticmethod
    def machine() -> str:
        from variantkit.host import this_machine

        return this_machine()[1]

    @staticmethod
    def uname() -> tuple[str, ...]:
        return ("", "", "", "", "", "")


class _Multiprocessing:
    """The part of `multiprocessing` that py-cpuinfo asks while it is imported."""

    @staticmethod
    def cpu_count() -> int:
        return os.cpu_count() or 1
