"""Machines of another x86-64 level: what the kernel says of the CPU is replaced, for one command, in a mount namespace."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments import Environment, clean_environ, uv

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["VARIANT_OF", "Machine", "Uv", "installed_label", "level_here", "loaded_here"]

_V1 = {"cmov", "cx8", "fpu", "fxsr", "mmx", "sse", "sse2"}
_V2 = _V1 | {"cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"}
_V3 = _V2 | {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}
_V4 = _V3 | {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}

# https://gitlab.com/x86-psABIs/x86-64-ABI, section 3.1.1, as Linux spells it; written anew, since variantkit is tested.
LEVELS = {"x86-64": _V1, "x86-64-v2": _V2, "x86-64-v3": _V3, "x86-64-v4": _V4}

VARIANT_OF = {"x86-64-v4": "avx512", "x86-64-v3": "avx2"}
"""The label that belongs on a machine of each level; `null` belongs on the others."""

# What the caller may have set to reach PyPI at all; the rest would change what is tested.
_REACHES_PYPI = {"UV_DEFAULT_INDEX", "UV_HTTP_TIMEOUT", "UV_INDEX_URL", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """This machine, or with `cpuinfo` one that the kernel describes with the text of that file."""

    cpuinfo: Path | None = None

    @classmethod
    def of_level(cls, level: str, folder: Path) -> Machine:
        """Return a machine that has what the psABI demands of a level and nothing else."""
        path = folder / f"cpuinfo-{level}"
        fields = {
            "processor": "0",
            "vendor_id": "GenuineIntel",
            "model name": f"a machine of {level}",
            "flags": " ".join(sorted(LEVELS[level])),
        }
        path.write_text("".join(f"{key}\t: {value}\n" for key, value in fields.items()) + "\n", encoding="utf-8")
        return cls(cpuinfo=path)

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs `words` on this machine."""
        if self.cpuinfo is None:
            return list(words)
        found = shutil.which("unshare")
        assert found, "the tests need unshare, from the package util-linux"
        # Whoever is not root becomes it in a user namespace, which may mount in a mount namespace of its own.
        rights = [] if os.geteuid() == 0 else ["--map-root-user"]
        mount = 'mount --bind "$0" /proc/cpuinfo && exec "$@"'
        return [found, *rights, "--mount", "sh", "-c", mount, str(self.cpuinfo), *words]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Uv:
    """uv as a user has it, on a machine, with a cache of its own: uv keeps what it knows of the CPU in its cache."""

    cache: Path
    machine: Machine = Machine()

    def __call__(
        self, *words: str, cwd: Path | None = None, variants: bool = False, check: bool = True, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `uv WORDS`; `variants` switches the preview of wheel variants on."""
        flags = ["--preview-features", "wheel-variants"] if variants else []
        command = self.machine.command([uv(), *words, *flags])
        result = subprocess.run(
            command, cwd=cwd or self.cache.parent, env=self._environ(environ), capture_output=True, text=True, check=False,
            timeout=300,
        )  # fmt: skip
        assert not check or result.returncode == 0, f"{command} gave {result.returncode}:\n{result.stderr}"
        return result

    def install(
        self, environment: Environment, *words: str, variants: bool = False, check: bool = True, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `uv pip install WORDS` in an environment."""
        python = str(environment.python)
        return self("pip", "install", "--python", python, *words, variants=variants, check=check, **environ)

    def _environ(self, more: dict[str, str]) -> dict[str, str]:
        kept = {
            key: value
            for key, value in clean_environ().items()
            if key in _REACHES_PYPI or not key.startswith(("UV_", "NV_VARIANT_", "XDG_CONFIG_"))
        }
        nowhere = str(self.cache.parent / "no-configuration")
        fixed = {"UV_CACHE_DIR": str(self.cache), "UV_PYTHON_DOWNLOADS": "never"}
        return {**kept, **fixed, "XDG_CONFIG_HOME": nowhere, "XDG_CONFIG_DIRS": nowhere, **more}


def level_here() -> str:
    """The highest x86-64 level of which the kernel lists everything, in what it says of the first CPU, as uv reads it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    flags = next(set(line.partition(":")[2].split()) for line in lines if line.startswith("flags"))
    return max((level for level, needed in LEVELS.items() if needed <= flags), key=lambda level: len(LEVELS[level]))


def installed_label(environment: Environment) -> str | None:
    """The label of the variant that is installed, None where the plain wheel is."""
    (info,) = environment.site_packages.glob("ndkernels-*.dist-info")
    path = info / "variant.json"
    if not path.exists():
        return None
    (label,) = json.loads(path.read_text(encoding="utf-8"))["variants"]
    return str(label)


LOADED = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import ndkernels, numpy
config = ndkernels.show_config(mode="dicts")
total = float(ndkernels.matmul(numpy.ones((3, 4), "f4"), numpy.ones((4, 5), "f4")).sum())
print(json.dumps({"classifier": config["classifier"], "path": config["path"], "version": ndkernels.__version__, "rejected": config["rejected"],
                  "total": total, "warnings": [[w.category.__name__, str(w.message)] for w in caught]}, default=str))
"""


def loaded_here(environment: Environment, machine: Machine | None = None) -> dict[str, Any]:
    """What `import ndkernels` loads, after it has computed something, and the warnings that came."""
    command = (machine or Machine()).command([str(environment.python), "-c", LOADED])
    result = subprocess.run(
        command, cwd=environment.folder, env=environment.environ(), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["total"] == 60.0
    return found
