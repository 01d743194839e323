"""Installed wheels where files cannot be written, read or believed: they load what can be run, and say what is missing."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest

from environments import Environment
from mounts import with_mounts

pytestmark = pytest.mark.wheels

SHOW = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import ndkernels
import numpy
ones = numpy.ones((300, 300), "f4")
config = ndkernels.show_config("dicts")
print(json.dumps({"classifier": config["classifier"], "sum": float(ndkernels.sum(ndkernels.matmul(ones, ones))),
                  "sources": config["host"]["sources"], "notes": config["notes"], "reason": config["reason"],
                  "warnings": [str(warning.message) for warning in caught]}))
"""

# Features that only a machine of x86-64-v2 lacks.
ABOVE_V2 = r"\b(abm|avx\w*|bmi1|bmi2|f16c|fma|movbe|xsave|amx_\w+|vaes|vpclmulqdq)\b"


# Root may open everything, unless that capability is taken away.
DENIED = """
mount -t tmpfs -o mode=000 none /proc
set -- setpriv --inh-caps=-all --bounding-set=-dac_override,-dac_read_search "$@"
"""


def show(environment: Environment, mounts: str = "", *, code: str = SHOW, **environ: str) -> dict[str, Any]:
    """What is loaded, in a process of its own that sees what `mounts` mounts."""
    command = [str(environment.python), "-c", textwrap.dedent(code)]
    words = with_mounts(mounts, *command) if mounts else command
    result = subprocess.run(
        words, cwd=environment.folder, env=environment.environ(**environ), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def native(installed_all: Environment) -> dict[str, Any]:
    """What this machine says when nothing is done to it."""
    found = show(installed_all)
    assert found["classifier"] != "generic", "these tests need a CPU with AVX2"
    assert found["sources"] == ["kernel", "cpuid"]
    return found


def test_no_environment_at_all(installed_all: Environment, native: dict[str, Any]) -> None:
    result = subprocess.run(
        [str(installed_all.python), "-c", SHOW], env={}, cwd="/", capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout) == native
    assert result.stderr == ""


def test_no_home(installed_all: Environment, native: dict[str, Any]) -> None:
    assert show(installed_all, HOME="/nonexistent/home", XDG_CACHE_HOME="/nonexistent/cache") == native
    assert show(installed_all, HOME="", TMPDIR="/nonexistent") == native


def test_a_read_only_file_system(environment_of_all: Environment, native: dict[str, Any]) -> None:
    folder = environment_of_all.folder
    for cache in environment_of_all.site_packages.glob("*/__pycache__"):
        cache.rename(cache.with_name("old"))  # so that there would be something to write
    code = f"""
    import errno
    try:
        open({str(folder / "written")!r}, "w")
    except OSError as error:
        assert error.errno == errno.EROFS
    else:
        raise SystemExit("it can be written to")
    {{}}
    """
    code = textwrap.dedent(code).replace("{}", SHOW)
    mounts = f"mount --bind {folder} {folder}\nmount -o remount,bind,ro {folder}"
    assert show(environment_of_all, mounts, code=code, HOME=str(folder), TMPDIR=str(folder)) == native
    assert list(environment_of_all.site_packages.glob("ndkernels/__pycache__")) == []


@pytest.mark.parametrize(
    ("mounts", "error"),
    [
        ("mount -t tmpfs none /proc", "FileNotFoundError"),
        (DENIED, "PermissionError"),
    ],
    ids=["absent", "denied"],
)
def test_proc_cannot_be_read(installed_all: Environment, native: dict[str, Any], mounts: str, error: str) -> None:
    found = show(installed_all, mounts)
    # CPUID and py-cpuinfo, which is installed here, take over.
    assert found["classifier"] == native["classifier"]
    assert found["sources"] == ["cpuid", "py-cpuinfo"]
    assert found["notes"][0].startswith(f"the source 'kernel' failed and was left out: {error}: ")
    assert (found["sum"], found["warnings"]) == (native["sum"], [])


@pytest.mark.parametrize(
    "refusal", ["PermissionError(13, 'Permission denied')", "OSError(1, 'Operation not permitted')"]
)
def test_a_filter_of_system_calls_refuses_proc(
    installed_all: Environment, native: dict[str, Any], refusal: str
) -> None:
    # With an audit hook, because a seccomp filter sees no paths: what refuses is a Landlock or AppArmor profile.
    code = f"""
    import sys
    refused = []
    def refuse(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes)) and str(arguments[0]).startswith("/proc"):
            refused.append(arguments[0])
            raise {refusal}
    sys.addaudithook(refuse)
    {{SHOW}}
    assert set(refused) == {{"/proc/cpuinfo"}}, refused
    """
    found = show(installed_all, code=textwrap.dedent(code).replace("{SHOW}", SHOW))
    assert found["classifier"] == native["classifier"]
    assert found["sources"] == ["cpuid", "py-cpuinfo"]


def test_no_source_but_cpuid(environment_of_all: Environment, native: dict[str, Any]) -> None:
    # Without /proc and without py-cpuinfo, CPUID with XCR0 is still the truth about this CPU.
    for path in environment_of_all.site_packages.glob("cpuinfo"):
        path.rename(path.with_name("not-cpuinfo"))
    found = show(environment_of_all, "mount -t tmpfs none /proc")
    assert (found["classifier"], found["sources"]) == (native["classifier"], ["cpuid"])


@pytest.fixture
def weaker(tmp_path: Path) -> Path:
    """The kernel's list of this machine as a machine of x86-64-v2 would have it."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    path = tmp_path / "cpuinfo"
    path.write_text(re.sub(r"(?m)^flags.*$", lambda line: re.sub(ABOVE_V2, "", line[0]), text), encoding="utf-8")
    return path


def test_an_install_that_was_used_and_then_copied_to_a_weaker_machine(
    environment_of_all: Environment, native: dict[str, Any], weaker: Path
) -> None:
    assert show(environment_of_all) == native
    code = f"import logging; logging.basicConfig(level=logging.INFO)\n{SHOW}"
    mounts = f"mount --bind {weaker} /proc/cpuinfo"
    found = show(environment_of_all, mounts, code=code)
    assert (found["classifier"], found["sum"], found["warnings"]) == ("generic", native["sum"], [])
    best = "generic is the best classifier that this machine can run."
    assert found["reason"] == f"{best} Installed, but not for this machine: avx512, avx2."
    assert any("but the kernel does not list them; they stay unused" in note for note in found["notes"])

    words = with_mounts(mounts, str(environment_of_all.python), "-c", code)
    result = subprocess.run(words, env=environment_of_all.environ(), capture_output=True, text=True, check=True)
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("INFO:ndkernels:")
    assert "Installed, but not for this machine: avx512, avx2." in result.stderr

    # Nothing was kept: the next process decides anew.
    assert show(environment_of_all) == native


def test_a_weaker_machine_refuses_what_the_environment_forces(installed_all: Environment, weaker: Path) -> None:
    words = with_mounts(f"mount --bind {weaker} /proc/cpuinfo", str(installed_all.python), "-c", "import ndkernels")
    environ = installed_all.environ(NDKERNELS_CLASSIFIER="avx2")
    result = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "ClassifierNotRunnableError: NDKERNELS_CLASSIFIER=avx2: avx2 cannot run here" in result.stderr


def test_a_kernel_that_lists_too_much_is_not_believed(
    installed_all: Environment, native: dict[str, Any], tmp_path: Path
) -> None:
    every = "avx512f avx512bw avx512cd avx512dq avx512vl amx_tile amx_int8 amx_bf16"
    text = re.sub(r"(?m)^flags.*$", rf"\g<0> {every}", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    (tmp_path / "cpuinfo").write_text(text, encoding="utf-8")
    found = show(installed_all, f"mount --bind {tmp_path / 'cpuinfo'} /proc/cpuinfo")
    assert (found["classifier"], found["sum"]) == (native["classifier"], native["sum"])
