"""Findings of the doctor: made-up facts in, findings out; each kind has a case here."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from hosts import CATALOGUE, RECORDED, host
from variantkit.catalogue import Catalogue
from variantkit.doctor import RULES, Facts, Finding, diagnose
from variantkit.doctor.facts import Cpus, Damage, Distribution, Import, Interpreter, SelfTestRun
from variantkit.doctor.findings import markdown
from variantkit.doctor.of_machine import _STAND_INS, SETTINGS, promised
from variantkit.doctor.report import data, healthy, text
from variantkit.features import LEVELS
from variantkit.host import Host, Source
from variantkit.select import Installed


def installed(*names: str, **changes: Any) -> tuple[Installed, ...]:
    return tuple(
        Installed(
            classifier=name, version="1.2.0", abi="1.0", path=f"/site/gizmo_{name}/lib.so", size=7,
            origin="base" if name == "generic" else "wheel",
        ).replace(**changes)
        for name in names
    )  # fmt: skip


def passed(*names: str, threads: int = 4) -> tuple[SelfTestRun, ...]:
    return tuple(SelfTestRun(classifier=name, outcome="passed", checks=9, threads=threads) for name in names)


def wheel(name: str = "gizmo-kit", **changes: Any) -> Distribution:
    base = Distribution(
        name=name, version="1.2.0", folder="/site", metadata=f"/site/{name}.dist-info",
        tags=("cp311-cp311-manylinux_2_28_x86_64",), requires=("numpy>=1.24", "variantkit==0.1.0"),
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def damaged(*files: str, why: str = "is missing") -> tuple[Damage, ...]:
    return tuple(Damage(file=file, path=f"/site/{file}", why=why) for file in files)


V2, V3 = LEVELS["x86-64-v2"], LEVELS["x86-64-v3"]

REAL = Host(
    system="linux",
    machine="x86_64",
    brand="Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz",
    sources=tuple(Source(name=name, features=V3) for name in ("kernel", "cpuid")),
    features=V3,
)

PYTHON = Interpreter(
    version="3.11.9", executable="/env/bin/python", tag="cp311", platform_tag="manylinux_2_36_x86_64", libc="glibc 2.36"
)

HEALTHY = Facts(
    catalogue=CATALOGUE,
    interpreter=PYTHON,
    host=REAL,
    cpus=Cpus(present=4, allowed=4, load=0.3),
    installed=installed("generic", "avx2"),
    distributions=(wheel(), wheel("gizmo-kit-avx2", tags=("py3-none-manylinux2014_x86_64",)), wheel("variantkit", version="0.1.0", tags=("py3-none-any",))),
    package_folders=("/site/gizmo",),
    classifier_folders=(("generic", ("/site/gizmo/classifiers/generic",)), ("avx2", ("/site/gizmo_avx2",))),
    installer="pip",
    imported=Import(outcome="passed", classifier="avx2", path="/site/gizmo_avx2/lib.so"),
    self_tests=passed("generic", "avx2"),
)  # fmt: skip


def facts(**changes: Any) -> Facts:
    return dataclasses.replace(HEALTHY, **changes)


def virtual(brand: str, features: frozenset[str], **changes: Any) -> Host:
    features = features | {"hypervisor"}
    sources = tuple(Source(name=name, features=features) for name in ("kernel", "cpuid"))
    return Host(
        system="linux", machine="x86_64", brand=brand, hypervisor=True, sources=sources, features=features
    ).replace(**changes)


def crashed(name: str, check: str) -> SelfTestRun:
    why = f"it died by SIGILL (Illegal instruction) in {check!r}"
    return SelfTestRun(classifier=name, outcome="crashed", why=why, check=check)


def with_helper(*, used: str, **changes: Any) -> Facts:
    rows = [row.replace(helpers=("onednn",)) if row.name == "avx2" else row for row in CATALOGUE.classifiers]
    imported = Import(outcome="passed", classifier=used, path="/x")
    return facts(catalogue=CATALOGUE.replace(classifiers=tuple(rows)), imported=imported, **changes)


REINSTALL = "-m pip install --force-reinstall --no-deps"
PIP = f"{sys.executable} -m pip"
OLD = REAL.replace(
    features=LEVELS["x86-64"], sources=tuple(each.replace(features=LEVELS["x86-64"]) for each in REAL.sources)
)

# rule, facts, what the message says, what the cure says
CASES: list[tuple[str, Facts, str, str]] = [
    (
        "package-damaged",
        facts(distributions=(wheel(damage=(*damaged("gizmo/_core.py"), *damaged("gizmo/a.py", why="has other bytes than RECORD says"))),)),
        "gizmo/_core.py is missing; gizmo/a.py has other bytes",
        f"{REINSTALL} gizmo-kit==1.2.0",
    ),
    (
        "package-damaged",
        facts(distributions=(wheel(), wheel("variantkit", version="0.1.0", tags=(), damage=damaged(*(f"f{n}" for n in range(9)))))),
        "f3 is missing; and 5 more.",
        f"{REINSTALL} variantkit==0.1.0",
    ),
    ("library-damaged", facts(installed=(*installed("generic"), *installed("avx2", defect="its SHA-256 is aa…"))), "avx2 cannot be trusted: its SHA-256", f"{REINSTALL} gizmo-kit-avx2==1.2.0"),
    ("library-damaged", facts(installed=(*installed("generic", defect="3 bytes, not 7"), *installed("avx2"))), "generic cannot be trusted: 3 bytes", f"{REINSTALL} gizmo-kit==1.2.0"),
    # A variant wheel holds avx2 within the base package.
    ("library-damaged", facts(installed=(*installed("generic"), *installed("avx2", origin="base", defect="x"))), "avx2", f"{REINSTALL} gizmo-kit==1.2.0"),
    ("version-mismatch", facts(installed=(*installed("generic"), *installed("avx2", version="1.1.0"))), "avx2 is of version 1.1.0, and gizmo-kit is 1.2.0", f"{REINSTALL} gizmo-kit-avx2==1.2.0"),
    ("version-mismatch", facts(distributions=(wheel(version="1.1.9"),)), "gizmo-kit 1.1.9 is installed", f"{REINSTALL} gizmo-kit==1.2.0"),
    ("version-mismatch", facts(distributions=(wheel(), wheel("variantkit", version="0.0.9", tags=()))), "variantkit 0.0.9 is installed, and gizmo-kit 1.2.0 needs 0.1.0", f"{REINSTALL} variantkit==0.1.0"),
    ("duplicate", facts(distributions=(wheel(), wheel(version="1.1.0", folder="/user", metadata="/user/gizmo_kit.dist-info"))), "gizmo-kit is there twice: in /site (1.2.0), where gizmo is imported from, and in /user (1.1.0).", "-m pip uninstall gizmo-kit"),
    ("duplicate", facts(distributions=(wheel(), wheel(version="1.1.0", metadata="/site/gizmo_kit-1.1.0.dist-info"))), "Several releases lie over each other in /site: gizmo-kit 1.1.0 and 1.2.0.", f"pip uninstall --yes gizmo-kit && {PIP} install --force-reinstall --no-deps gizmo-kit==1.2.0"),
    ("duplicate", facts(package_folders=("/site/gizmo", "/user/gizmo")), "gizmo-kit is there twice: in /site, where gizmo is imported from, and in /user.", "remove /user/gizmo; or, to keep that copy, "),
    # The copy that is imported is the one in PYTHONPATH.
    ("duplicate", facts(package_folders=("/user/gizmo", "/site/gizmo"), python_path=("/user",)), "in /user, where gizmo is imported from, and in /site.", "unset PYTHONPATH"),
    ("duplicate", facts(package_folders=("/user/gizmo", "/site/gizmo"), python_path=("/a", "/user", "/b")), "in /user, where", f'export PYTHONPATH="/a{os.pathsep}/b"'),
    ("duplicate", facts(package_folders=("/src/gizmo", "/site/gizmo"), current="/src"), "in /src, where gizmo is imported from", "cd /  # /src is in the path as the current folder only"),
    ("duplicate", facts(classifier_folders=(("avx2", ("/site/gizmo/classifiers/avx2", "/site/gizmo_avx2")),)), "The library of avx2 is in /site/gizmo/classifiers/avx2 and in /site/gizmo_avx2", "pip uninstall gizmo-kit-avx2"),
    ("duplicate", facts(installer="uv", classifier_folders=(("avx2", ("/site/gizmo_avx2", "/user/gizmo_avx2")),)), "gizmo-kit-avx2 is there twice: in /site, where it is imported from, and in /user.", "remove /user/gizmo_avx2; or, to keep that copy, uv pip uninstall"),
    ("wrong-wheel", facts(interpreter=dataclasses.replace(PYTHON, tag="cp313t")), "a wheel for cp311-cp311-manylinux_2_28_x86_64, and this is cp313t", f"{REINSTALL} gizmo-kit==1.2.0"),
    ("wrong-wheel", facts(distributions=(wheel(),), interpreter=dataclasses.replace(PYTHON, platform_tag="manylinux_2_17_x86_64")), "manylinux_2_28_x86_64, and this is cp311 on manylinux_2_17_x86_64", REINSTALL),
    ("wrong-wheel", facts(distributions=(wheel(),), interpreter=dataclasses.replace(PYTHON, platform_tag="manylinux_2_36_aarch64")), "manylinux_2_36_aarch64", REINSTALL),
    ("wrong-wheel", facts(distributions=(wheel(),), interpreter=dataclasses.replace(PYTHON, platform_tag="musllinux_1_2_x86_64", libc="musl")), "musllinux_1_2_x86_64 (musl)", "a Python that runs on glibc"),
    ("wrong-platform", facts(host=REAL.replace(machine="i686"), interpreter=dataclasses.replace(PYTHON, bits=32)), "this is linux-i686, a 32-bit Python", "install a 64-bit Python"),
    ("wrong-platform", facts(host=REAL.replace(system="windows")), "published for linux-x86_64, and this is windows-x86_64", "use a machine of linux-x86_64"),
    ("nothing-usable", facts(installed=(), self_tests=(), imported=Import(outcome="failed", why="NoUsableClassifierError: nothing. Reinstall it with: pip")), "failed: NoUsableClassifierError: nothing.", f"{REINSTALL} gizmo-kit==1.2.0"),
    ("setting", facts(setting_error="GIZMO_CLASSIFIER=avx9: gizmo-kit has no such classifier; choose from generic, avx2, avx512, or unset it"), "avx9: gizmo-kit has no such classifier.", "choose from generic, avx2, avx512, or unset it"),
    ("import-failed", facts(imported=Import(outcome="failed", why="ImportError: _core.so: undefined symbol: PyX")), "`import gizmo` failed: ImportError: _core.so: undefined symbol: PyX.", f"{REINSTALL} gizmo-kit==1.2.0"),
    ("setting", facts(imported=Import(outcome="failed", why="HelperNotInstalledError: blas is asked for, and gizmo-blas is not installed. Run: pip install blas")), "blas is asked for, and gizmo-blas is not installed.", "pip install blas"),
    ("setting", facts(imported=Import(outcome="failed", why="HelperError: blas is asked for, and is for Linux. Set GIZMO_BLAS=own, or unset it.")), "blas is asked for, and is for Linux.", "Set GIZMO_BLAS=own, or unset it"),
    ("setting", facts(imported=Import(outcome="failed", why="SettingError: GIZMO_BLAS='x' is not allowed; set it to own, or unset it")), "GIZMO_BLAS='x' is not allowed.", "set it to own, or unset it"),
    ("import-failed", facts(imported=Import(outcome="crashed", why="it died by SIGBUS (Bus error)")), "crashed: it died by SIGBUS", REINSTALL),
    ("import-failed", facts(imported=Import(outcome="timed out", why="no answer in 60 seconds")), "did not come to an end: no answer", REINSTALL),
    ("self-test-failed", facts(self_tests=(*passed("generic"), SelfTestRun(classifier="avx2", outcome="failed", why="exp float32: element 3 is 1.0", check="exp float32"))), "avx2 is wrong: exp float32: element 3 is 1.0", "set GIZMO_CLASSIFIER=generic and report it"),
    ("self-test-failed", facts(self_tests=(SelfTestRun(classifier="generic", outcome="failed", why="import numpy: RuntimeError: NumPy was built with baseline optimizations", check="import numpy"),)), "NumPy was built with baseline", "--no-deps numpy"),
    ("self-test-failed", facts(host=OLD, self_tests=(SelfTestRun(classifier="generic", outcome="failed", why="import numpy: RuntimeError: NumPy was built with baseline optimizations", check="import numpy"),)), "NumPy was built with baseline", '--no-deps "numpy<2.4"'),
    ("self-test-crashed", facts(self_tests=(*passed("generic"), crashed("avx2", "matmul float64"))), "avx2 crashed: it died by SIGILL (Illegal instruction) in 'matmul float64'.", f"{REINSTALL} gizmo-kit-avx2==1.2.0"),
    ("self-test-timeout", facts(self_tests=(SelfTestRun(classifier="generic", outcome="timed out", why="no answer in 'sum' in 60 seconds"),)), "generic hangs: no answer in 'sum'", f"{REINSTALL} gizmo-kit==1.2.0"),
    ("openmp-twice", facts(imported=Import(outcome="passed", classifier="avx2", openmp=("/a/libgomp.so.1", "/b/libiomp5.so"))), "/a/libgomp.so.1 and /b/libiomp5.so", "from one source, pip or conda"),
    ("better-classifier", facts(distributions=(wheel(),), installed=installed("generic"), imported=Import(outcome="passed", classifier="generic")), "runs with generic, and this machine can run avx2, which is faster", '-m pip install "gizmo-kit[avx2]"'),
    # What is installed, and was not found: `pip install` would do nothing.
    ("better-classifier", facts(installed=installed("generic"), imported=Import(outcome="passed", classifier="generic")), "gizmo-kit-avx2 is installed, but without a MANIFEST", f"{REINSTALL} gizmo-kit-avx2==1.2.0"),
    ("better-classifier", facts(installer="uv", distributions=(), installed=installed("generic"), imported=Import(outcome="passed", classifier="generic")), "avx2", "uv pip install"),
    ("forced-classifier", facts(forced="generic", imported=Import(outcome="passed", classifier="generic")), "GIZMO_CLASSIFIER=generic keeps avx2", "unset GIZMO_CLASSIFIER"),
    ("helper-unused", with_helper(used="generic", distributions=(), installed=installed("generic")), "onednn is not used: it is in avx2, which this machine can run, and generic is loaded", '-m pip install "gizmo-kit[avx2]"'),
    ("helper-unused", with_helper(used="generic", forced="generic"), "onednn is not used", "unset GIZMO_CLASSIFIER"),
    ("hidden-features", facts(host=virtual("Common KVM processor", V2), hypervisor="KVM"), "without abm, avx, avx2, bmi1, and 5 more; Common KVM processor stands for the CPU that is there", "`-cpu host`"),
    ("hidden-features", facts(host=virtual("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", V3), hypervisor="VMware"), "has avx512bw, avx512cd, avx512dq, avx512f, and 1 more, which are hidden", "EVC"),
    ("hidden-features", facts(host=virtual("AMD EPYC 7763 64-Core Processor", V2), hypervisor="Hyper-V"), "AMD EPYC 7763", "-CompatibilityForMigrationEnabled $false"),
    ("hidden-features", facts(host=virtual("Intel(R) Core(TM) i7-8700 CPU", V2), hypervisor="VirtualBox"), "hidden from it", "bcdedit /set hypervisorlaunchtype off"),
    ("hidden-features", facts(host=virtual("", V2), hypervisor=""), "its CPU is unknown, and very likely has them", "set the CPU type of the virtual machine"),
    ("hidden-features", facts(host=host("guest-nehalem"), hypervisor="KVM"), "Intel Core i7 9xx (Nehalem Class Core i7) stands for the CPU that is there, which very likely has them", "`-cpu host`"),
    ("hidden-features", facts(host=virtual("Intel(R) Core(TM) i7-3770 CPU @ 3.40GHz", V2), hypervisor="KVM"), "its CPU is shown as Intel(R) Core(TM) i7-3770 CPU @ 3.40GHz, and the one that is there has them if it is newer", "`-cpu host`"),
    ("withheld-features", facts(host=virtual("x", V2, withheld=("avx", "avx2", "fma"))), "has avx, avx2, fma, but the operating system", "noxsave"),
    ("withheld-features", facts(host=host("guest-clearcpuid-xsave")), "the operating system does not save", "clearcpuid"),
    ("sources-disagree", facts(host=host("masked-avx")), "yes: cpuid; no: kernel", "gather_data_sampling"),
    ("no-avx", facts(host=host("k10"), installed=installed("generic"), imported=Import(outcome="passed", classifier="generic")), "has no AVX, so that generic is all", "use a machine with AVX2"),
    ("rosetta", facts(host=host("rosetta-linux")), "Apple's Rosetta translates", "native arm64 Python"),
    ("gil-enabled", facts(interpreter=dataclasses.replace(PYTHON, tag="cp313t", free_threaded=True), distributions=(), imported=Import(outcome="passed", classifier="avx2", gil=True)), "switched the GIL of this free-threaded Python on", "PYTHON_GIL=0"),
    ("threads-setting", facts(threads_variable="1", self_tests=passed("avx2", threads=1)), "OMP_NUM_THREADS=1 leaves 3 of 4 CPUs unused", "unset OMP_NUM_THREADS"),
    ("threads-setting", facts(threads_variable="many"), "OMP_NUM_THREADS='many' is not a number from 1 to 1024", "set OMP_NUM_THREADS to a number"),
    ("too-many-threads", facts(threads_variable="16", self_tests=passed("avx2", threads=16)), "asks for 16 threads, and this process may run on 4 CPUs", "set OMP_NUM_THREADS=4"),
    ("too-many-threads", facts(cpus=Cpus(present=64, allowed=64, quota=1.5), self_tests=passed("avx2", threads=32)), "a computation uses 32 threads, and the cgroup of this process grants 1.5 CPUs", "set OMP_NUM_THREADS=1"),
    ("busy", facts(cpus=Cpus(present=4, allowed=4, load=9.0)), "load average is 9.0 on 4 CPUs", "`top`"),
    ("source-missing", facts(host=REAL.replace(sources=REAL.sources[:1])), "cpuid could not be asked what the CPU can do; asked were kernel", "compiled module can be loaded"),
    ("fewer-cpus", facts(cpus=Cpus(present=16, allowed=8, quota=4.0, load=1.0)), "16 CPUs, and of these this process gets fewer: its affinity allows 8 and its cgroup grants 4", "--cpus"),
    ("ignored-setting", facts(ignored=("BACKEND_PRIORITY_CPU='x' is not a number, and 0 is used; set it to an integer such as 0, or unset it",)), "is not a number, and 0 is used.", "set it to an integer"),
    ("interpreter", facts(interpreter=dataclasses.replace(PYTHON, frozen=True), self_tests=(), imported=Import(outcome="not run")), "frozen application", "the Python environment that the application was made from"),
    ("interpreter", facts(interpreter=dataclasses.replace(PYTHON, subinterpreter=True)), "subinterpreter", "in the main interpreter"),
    ("unchecked", facts(unchecked=("RECORD could not be looked at: OSError: denied",)), "OSError: denied.", "nothing need be done"),
]  # fmt: skip


def of(rule: str, found: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in found if finding.rule == rule]


@pytest.mark.parametrize(("rule", "given", "message", "mend"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])  # fmt: skip
def test_each_finding(rule: str, given: Facts, message: str, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # else a command says "python" where that is the one which runs this
    (finding,) = of(rule, diagnose(given))
    assert message in finding.message
    assert finding.message.endswith(".")
    assert mend in finding.mend
    assert healthy(diagnose(given)) == (all(each.level == "note" for each in diagnose(given)))
    assert finding.rule in text(given, diagnose(given))
    assert finding.mend in text(given, diagnose(given))


def test_each_kind_of_finding_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(RULES)


def test_nothing_is_found_where_all_is_well() -> None:
    assert diagnose(HEALTHY) == ()
    assert text(HEALTHY, ()).endswith("\nhealthy")
    assert data(HEALTHY, ())["healthy"] is True


# What the user chose, or what is no fault, is not found fault with.
@pytest.mark.parametrize(
    "given",
    [
        facts(distributions=()),
        facts(distributions=(wheel(tags=("cp310-abi3-linux_x86_64",)),)),
        facts(interpreter=dataclasses.replace(PYTHON, tag="", platform_tag="")),
        facts(imported=dataclasses.replace(HEALTHY.imported, openmp=("/a/libgomp.so.1",))),
        facts(threads_variable="1", cpus=Cpus(present=1, allowed=1), self_tests=passed("generic", threads=1)),
        facts(threads_variable="4,2"),
        facts(self_tests=passed("generic", threads=0)),
        facts(cpus=Cpus(present=4, allowed=4, quota=4.0, load=4.0)),
        facts(cpus=Cpus(present=4, allowed=4, quota=8.0)),
        facts(forced="avx2"),
        # AVX-512 is not promised by a name that says little.
        facts(host=virtual("AMD EPYC", V3), hypervisor="KVM"),
        facts(host=virtual("Intel Xeon Processor (Haswell)", V3), hypervisor="KVM"),
        facts(
            interpreter=dataclasses.replace(PYTHON, free_threaded=True),
            imported=dataclasses.replace(HEALTHY.imported, gil=False),
        ),
    ],
)
def test_no_fault_is_found(given: Facts) -> None:
    assert diagnose(given) == ()


def test_an_import_that_dies_of_a_library_is_told_once() -> None:
    given = facts(
        self_tests=(*passed("generic"), crashed("avx2", "load")),
        imported=Import(outcome="crashed", why="it died by SIGILL (Illegal instruction)"),
    )
    assert [finding.rule for finding in diagnose(given)] == ["self-test-crashed"]


def told(found: tuple[Finding, ...]) -> list[tuple[str, list[str]]]:
    return [(each.rule, [other.rule for other in each.follows]) for each in found]


def failed(name: str, why: str = "ModuleNotFoundError: x", check: str = "load") -> SelfTestRun:
    return SelfTestRun(classifier=name, outcome="failed", why=why, check=check)


BOTH_FAILED = (failed("generic"), failed("avx2"))
LIBRARY = damaged("gizmo_avx2/lib.so", "gizmo_avx2/MANIFEST", why="has other bytes than RECORD says")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # A library that is not the published one is told as that, and not once more as a damaged distribution.
        (
            facts(
                installed=(*installed("generic"), *installed("avx2", defect="x")),
                distributions=(wheel(), wheel("gizmo-kit-avx2", tags=(), damage=LIBRARY)),
            ),
            [("library-damaged", [])],
        ),
        # What else is damaged there is mended by the same command.
        (
            facts(
                installed=(*installed("generic"), *installed("avx2", defect="x")),
                distributions=(
                    wheel(), wheel("gizmo-kit-avx2", tags=(), damage=(*LIBRARY, *damaged("gizmo_avx2/a.py")))
                ),
            ),
            [("package-damaged", ["library-damaged"])],
        ),
        (
            facts(
                installed=installed("generic"),
                distributions=(wheel(), wheel("gizmo-kit-avx2", tags=(), damage=damaged("gizmo_avx2/MANIFEST"))),
            ),
            [("package-damaged", ["better-classifier"])],
        ),
        (
            facts(
                distributions=(wheel(damage=damaged("gizmo/x.py")),),
                imported=Import(outcome="failed", why="ModuleNotFoundError: x"),
                self_tests=BOTH_FAILED,
            ),
            [("package-damaged", ["import-failed", "self-test-failed", "self-test-failed"])],
        ),
        # Damage elsewhere is no reason for what a self-test finds.
        (
            facts(
                distributions=(wheel(damage=damaged("gizmo/x.py")),),
                self_tests=(*passed("generic"), failed("avx2", "exp: 1", "exp")),
            ),
            [("package-damaged", []), ("self-test-failed", [])],
        ),
        # One release over another.
        (
            facts(
                distributions=(
                    wheel(),
                    wheel(version="1.1.0", metadata="/site/old.dist-info", damage=damaged("gizmo/x.py")),
                ),
                installed=(*installed("generic", defect="3 bytes, not 7"), *installed("avx2")),
                imported=Import(outcome="failed", why="ModuleNotFoundError: x"),
                self_tests=BOTH_FAILED,
            ),
            [
                ("duplicate", ["package-damaged", "library-damaged", "version-mismatch", "import-failed", *["self-test-failed"] * 2])
            ],
        ),
        # A second copy of everything is one thing, and what is wrong with that copy is gone with it.
        (
            facts(
                package_folders=("/user/gizmo", "/site/gizmo"),
                classifier_folders=(("avx2", ("/user/gizmo_avx2", "/site/gizmo_avx2")),),
                distributions=(wheel(), wheel(folder="/user", metadata="/user/x", damage=damaged("gizmo/x.py"))),
                python_path=("/user",),
            ),
            [("duplicate", ["package-damaged"])],
        ),
        (
            facts(
                self_tests=tuple(
                    failed(name, "import numpy: ModuleNotFoundError: No module named 'numpy'", "import numpy")
                    for name in ("generic", "avx2")
                )
            ),
            [("self-test-failed", [])],
        ),
    ],
)  # fmt: skip
def test_one_cause_is_told_once(given: Facts, expected: list[tuple[str, list[str]]]) -> None:
    found = diagnose(given)
    assert told(found) == expected
    lines = text(given, found).splitlines()
    assert sum(line.startswith("       mend: ") for line in lines) == len(found)
    follows = sum(len(each.follows) for each in found)
    assert sum(line.startswith("       hence ") for line in lines) == (follows if follows <= 4 else 5)
    assert [len(each["follows"]) for each in data(given, found)["findings"]] == [len(each.follows) for each in found]


def test_what_is_left_out_takes_nothing_with_it() -> None:
    given = facts(
        distributions=(wheel(damage=damaged("gizmo/x.py")),),
        imported=Import(outcome="failed", why="ModuleNotFoundError: x"),
    )
    assert told(diagnose(given, {"package-damaged"})) == [("import-failed", [])]


HINT = "add the --index-url or --find-links that it was installed with"
WITHOUT_AVX2: dict[str, Any] = {
    "installed": installed("generic"), "imported": Import(outcome="passed", classifier="generic"),
}  # fmt: skip


def avx2_is_damaged(**changes: Any) -> Facts:
    direct = changes.pop("direct", "")
    editable = changes.pop("editable", False)
    return facts(
        installed=(*installed("generic"), *installed("avx2", defect="x")),
        distributions=(wheel(), wheel("gizmo-kit-avx2", tags=(), direct=direct, editable=editable)),
        **changes,
    )


@pytest.mark.parametrize(
    ("given", "mend", "hint"),
    [
        (avx2_is_damaged(), "gizmo-kit-avx2==1.2.0", HINT),
        (avx2_is_damaged(installer="uv"), "gizmo-kit-avx2==1.2.0", HINT),
        (avx2_is_damaged(configured="index"), "gizmo-kit-avx2==1.2.0", ""),
        # The folder may have other packages.
        (
            avx2_is_damaged(configured="folder"),
            "gizmo-kit-avx2==1.2.0",
            f"if it is in none of the configured places, {HINT}",
        ),
        (avx2_is_damaged(installer="conda"), "gizmo-kit-avx2=1.2.0", ""),
        (avx2_is_damaged(direct="/a b/x.whl"), '--no-deps "/a b/x.whl"', ""),
        (avx2_is_damaged(direct="/a [b]/x.whl"), '--no-deps "/a [b]/x.whl"', ""),
        (avx2_is_damaged(direct="/src", editable=True), "--no-deps -e /src", ""),
        (facts(distributions=(wheel(),), **WITHOUT_AVX2), '"gizmo-kit[avx2]"', HINT),
        (facts(distributions=(wheel(),), configured="index", **WITHOUT_AVX2), '"gizmo-kit[avx2]"', ""),
    ],
)
def test_where_a_command_finds_what_it_installs_again(given: Facts, mend: str, hint: str) -> None:
    (finding,) = diagnose(given)
    assert finding.mend.endswith(mend)
    lines = [line for line in text(given, (finding, finding)).splitlines() if "hint: " in line]
    assert lines == ([f"       hint: {hint}"] if hint else [])
    assert data(given, (finding,))["findings"][0]["hint"] == hint


def test_the_worst_is_said_first_and_notes_leave_a_package_healthy() -> None:
    given = facts(unchecked=("x",), threads_variable="many", self_tests=(crashed("avx2", "exp"),))
    found = diagnose(given)
    assert [finding.level for finding in found] == ["breaks", "slow", "note"]
    assert text(given, found).endswith("not healthy: 2 findings, and something is broken")
    assert text(given, found[1:]).endswith("not healthy: 1 finding, and it could be faster")
    assert text(given, found[2:]).endswith("healthy")
    assert healthy(found[2:])


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_each_recorded_machine_can_be_looked_at(name: str) -> None:
    given = facts(host=host(name))
    report = text(given, diagnose(given))
    assert report.splitlines()[-1].startswith(("healthy", "not healthy"))


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_cpu_that_is_shown_is_not_called_unknown(name: str) -> None:
    machine = host(name)
    for finding in of("hidden-features", diagnose(facts(host=machine))):
        assert machine.brand in finding.message
        assert ("unknown" in finding.message) == (not machine.brand)


def test_no_brand_of_a_cpu_is_taken_for_that_of_a_model() -> None:
    real = {found.brand for name in RECORDED if not (found := host(name)).hypervisor}
    assert [brand for brand in real if _STAND_INS.search(brand)] == []


@pytest.mark.parametrize("hypervisor", sorted(SETTINGS))
def test_each_hypervisor_has_its_setting(hypervisor: str) -> None:
    given = facts(host=virtual("QEMU Virtual CPU version 2.5+", V2), hypervisor=hypervisor)
    (finding,) = of("hidden-features", diagnose(given))
    assert finding.mend == SETTINGS[hypervisor]


@pytest.mark.parametrize(
    ("brand", "level"),
    [
        ("Intel(R) Xeon(R) Platinum 8275CL CPU @ 3.00GHz", "x86-64-v4"),
        ("Intel Xeon Processor (Skylake, IBRS)", "x86-64-v4"),
        ("Intel Xeon Processor (Cascadelake)", "x86-64-v4"),
        ("AMD EPYC-Genoa Processor", "x86-64-v4"),
        ("AMD EPYC 9654 96-Core Processor", "x86-64-v4"),
        ("AMD EPYC 7763 64-Core Processor", "x86-64-v3"),
        ("AMD Ryzen 5 7520U", "x86-64-v3"),
        ("Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz", "x86-64-v3"),
        ("Intel(R) Xeon(R) CPU E5-2680 v2 @ 2.80GHz", ""),
        ("Intel(R) Core(TM) i7-4930K CPU @ 3.40GHz", ""),
        ("Intel(R) Core(TM) i7-3770 CPU @ 3.40GHz", ""),
        ("12th Gen Intel(R) Core(TM) i7-12700K", "x86-64-v3"),
        ("Intel Core Processor (Skylake, IBRS)", "x86-64-v3"),
        ("Intel(R) Pentium(R) Silver N5000 CPU @ 1.10GHz", ""),
        ("Intel Core 2 Duo P9xxx (Penryn Class Core 2)", ""),
        ("", ""),
    ],
)
def test_what_a_brand_string_promises(brand: str, level: str) -> None:
    assert promised(brand) == level


def test_brand_strings_promise_no_recorded_cpu_what_it_lacks() -> None:
    real = {name: found for name in RECORDED if not (found := host(name)).hypervisor and not found.translated}
    wrong = {
        name: found.brand
        for name, found in real.items()
        if (level := promised(found.brand))
        and not found.disagreements
        and not found.withheld
        and found.missing(LEVELS[level])
    }
    assert wrong == {}
    assert sum(bool(promised(found.brand)) for found in real.values()) > 10


def test_the_documentation_has_the_table(root: Path) -> None:
    assert markdown() in (root / "docs" / "doctor.md").read_text(encoding="utf-8")


def test_a_catalogue_without_cpuid_misses_no_source() -> None:
    catalogue: Catalogue = CATALOGUE.replace(cpuid="")
    given = facts(catalogue=catalogue, host=REAL.replace(sources=REAL.sources[:1]))
    assert diagnose(given) == ()


def test_the_same_facts_give_the_same_findings() -> None:
    assert [diagnose(case[1]) for case in CASES] == [diagnose(case[1]) for case in CASES]
