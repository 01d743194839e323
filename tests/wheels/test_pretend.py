"""Recorded machines against really installed wheels: what `import` takes there, decided by the installed loader."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from environments import clean_environ
from hosts import CATALOGUE, HOSTS, RECORDED
from variantkit.host import detect
from variantkit.host_linux import read_linux

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments import Environment

pytestmark = pytest.mark.wheels

NAMES = CATALOGUE.names  # the lowest rank first

# With one source only, nothing contradicts what it says: of these machines it says too much, and no more can be known.
MISLED = {
    ("masked-avx", "kernel"): ["generic", "avx2"],
    ("qemu-user-conroe", "cpuid"): ["generic", "avx2"],
    ("qemu-user-nehalem", "cpuid"): ["generic", "avx2", "avx512"],
    ("qemu-user-sandybridge", "cpuid"): ["generic", "avx2"],
}


@pytest.fixture(scope="module")
def folders(installed_all: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[frozenset[str], Path]:
    """For every set of classifiers a folder with the package and only these, taken from an environment with all."""
    root = tmp_path_factory.mktemp("subsets")
    made = {}
    for count in range(len(NAMES) + 1):
        for subset in map(frozenset, combinations(NAMES, count)):
            folder = root / ("-".join(sorted(subset)) or "none")
            for package in installed_all.site_packages.glob("ndkernels*"):
                if package.name == "ndkernels" or package.name.removeprefix("ndkernels_") in subset:
                    shutil.copytree(package, folder / package.name, copy_function=os.link)
            if "generic" not in subset:
                shutil.rmtree(folder / "ndkernels" / "classifiers" / "generic")
            made[subset] = folder
    return made


@pytest.fixture(scope="module")
def would_load(
    installed_all: Environment, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[list[tuple[str, Path, list[str]]]], list[tuple[str, str]]]:
    """Import ndkernels once for each (machine, folder, sources that cannot be read), and return what it was to open."""
    library = tmp_path_factory.mktemp("library")
    for name in ("variantkit", "tomli"):
        shutil.copytree(installed_all.site_packages / name, library / name, copy_function=os.link)

    def run(runs: list[tuple[str, Path, list[str]]]) -> list[tuple[str, str]]:
        task = {
            "hook": str(root / "tools" / "pretended"),
            "library": str(library),
            "package": "ndkernels",
            "runs": [(str(HOSTS / f"{name}.toml"), str(folder), without) for name, folder, without in runs],
        }
        script = str(root / "tests" / "would_load.py")
        answers: list[Any] = json.loads(installed_all.run("-I", "-S", script, json.dumps(task)).stdout)
        assert len(answers) == len(runs)
        return [(str(what), str(where)) for what, where in answers]

    return run


def best(runs: list[str], installed: frozenset[str]) -> str:
    """Return what a machine is to load, after the hand-written list of what runs there."""
    usable = [name for name in runs if name in installed]
    return usable[-1] if usable else "NoUsableClassifierError"


def test_every_machine_with_every_set_of_installed_wheels(
    folders: dict[frozenset[str], Path], would_load: Callable[..., list[tuple[str, str]]]
) -> None:
    runs = [(name, subset) for name in RECORDED for subset in folders]
    assert len(runs) == len(RECORDED) * 2 ** len(NAMES)
    answers = would_load([(name, folders[subset], []) for name, subset in runs])
    wanted = [best(RECORDED[name].expected["runnable"], subset) for name, subset in runs]
    differing = {run: (want, got) for run, want, (got, _) in zip(runs, wanted, answers, strict=True) if got != want}
    assert differing == {}
    for (_, subset), (_, path) in zip(runs, answers, strict=True):
        assert not path or Path(path).is_relative_to(folders[subset])


def test_a_machine_of_which_one_source_cannot_be_read(
    folders: dict[frozenset[str], Path], would_load: Callable[..., list[tuple[str, str]]]
) -> None:
    both = [name for name, recorded in RECORDED.items() if recorded.cpuid and recorded.sources]
    x86 = [name for name in both if (RECORDED[name].system, RECORDED[name].machine) == ("linux", "x86_64")]
    runs = [(name, source) for name in x86 for source in ("kernel", "cpuid")]
    assert len(runs) > 150
    installed = frozenset(NAMES)
    answers = would_load([(name, folders[installed], [source]) for name, source in runs])
    wanted = [best(MISLED.get(run, RECORDED[run[0]].expected["runnable"]), installed) for run in runs]
    assert {
        run: pair for run, *pair in zip(runs, wanted, (got for got, _ in answers), strict=True) if pair[0] != pair[1]
    } == {}


def pretend(
    environment: Environment, host: str, *words: str, options: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of an environment's Python through the tool, as a developer would."""
    command = [sys.executable, "-m", "tools.pretend", str(HOSTS / f"{host}.toml"), *options, "--"]
    return subprocess.run(
        [*command, str(environment.python), *words],
        cwd=HOSTS.parent.parent.parent,
        env={**clean_environ(), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


IMPORT = "import ndkernels; print(ndkernels.show_config('dicts')['classifier'])"


def this_machine_runs(name: str) -> bool:
    row = CATALOGUE.get(name)
    assert row is not None
    return not detect(None, {"kernel": lambda: read_linux("x86_64")}).missing(row.features)


@pytest.mark.parametrize("host", ["nehalem", "zen2", "graniterapids"])
def test_what_is_chosen_is_loaded_or_refused(installed_all: Environment, host: str) -> None:
    wanted = RECORDED[host].expected["runnable"][-1]
    done = pretend(installed_all, host, "-W", "ignore", "-c", IMPORT)
    assert f"pretend: {host}; " in done.stderr
    if this_machine_runs(wanted):
        assert (done.returncode, done.stdout) == (0, f"{wanted}\n"), done.stderr
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert f"would load {wanted} from " in done.stderr
        assert "it is not opened, because this machine lacks " in done.stderr


def test_a_dry_run_opens_nothing(installed_all: Environment) -> None:
    done = pretend(installed_all, "nehalem", "-c", IMPORT, options=("--dry-run",))
    assert done.returncode == 1
    assert "would load generic from " in done.stderr
    assert "because this is a dry run" in done.stderr


def test_installed_classifiers_can_be_hidden_and_forced(installed_all: Environment) -> None:
    only = ("--installed", "generic")
    done = pretend(installed_all, "zen5-turin", "-c", IMPORT, options=only)
    assert done.stdout == "generic\n", done.stderr
    assert "BetterVariantWarning" in done.stderr
    assert "this machine can run avx512" in done.stderr
    for forced, error in (
        ("avx2", "ClassifierNotInstalledError"),
        ("avx3", "UnknownClassifierError"),
        ("generic", ""),
    ):
        done = pretend(installed_all, "zen5-turin", "-c", IMPORT, options=only, NDKERNELS_CLASSIFIER=forced)
        assert error in done.stderr
        assert (done.returncode == 0) == (not error), done.stderr
    done = pretend(installed_all, "nehalem", "-c", IMPORT, NDKERNELS_CLASSIFIER="avx512")
    assert "ClassifierNotRunnableError" in done.stderr
    assert "this machine lacks abm, avx, avx2, avx512bw" in done.stderr


def test_detect_reports_the_pretended_machine(installed_all: Environment) -> None:
    done = pretend(installed_all, "cascadelake-server", "-m", "variantkit", "detect", "--json")
    report = json.loads(done.stdout)
    assert report["host"]["brand"] == "Intel(R) Xeon(R) Gold 5215 CPU @ 2.50GHz"
    assert [source["name"] for source in report["host"]["sources"]] == ["kernel", "cpuid"]
    assert report["loaded"]["classifier"] == "avx512"
    assert ("it is not opened" in done.stderr) == (not this_machine_runs("avx512"))
    done = pretend(installed_all, "macos-m4", "-m", "variantkit", "detect", "--json")
    assert json.loads(done.stdout)["host"]["platform"] == "macos-arm64"


def test_sources_can_be_taken_away(installed_all: Environment) -> None:
    without = ("--without", "kernel", "--without", "cpuid")
    done = pretend(installed_all, "zen4", "-m", "variantkit", "detect", "--json", options=without)
    report = json.loads(done.stdout)
    assert report["host"]["sources"] == []
    assert report["loaded"]["classifier"] == "generic"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["/nowhere.toml", "--", sys.executable], "/nowhere.toml cannot be read: No such file or directory. Name one"),
        ([str(HOSTS / "zen2.toml"), "--", "no-such-program"], "there is no program 'no-such-program'; name"),
        ([str(HOSTS.parent.parent / "hosts.py"), "--", sys.executable], "this is not TOML"),
        ([str(HOSTS / "zen2.toml")], "the following arguments are required: command"),
    ],
)
def test_bad_arguments_are_told(root: Path, words: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.pretend", *words], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert message in done.stderr


def test_a_weak_machine_is_protected(installed_all: Environment, root: Path) -> None:
    """On any machine: what the real one can do is replaced by a Nehalem, and nothing of AVX2 may be opened."""
    code = """
        import sys
        sys.path.insert(0, sys.argv[1])
        import pretended
        from variantkit.hostfile import read
        weak = read(sys.argv[2] + "/nehalem.toml").detect()
        pretended._Changes._real_host = lambda self: weak
        pretended.install(pretended.Pretence(host=sys.argv[2] + "/haswell.toml"))
        try:
            import ndkernels
        except pretended.NotOpenedError as error:
            print(error.classifier, error)
        print(open("/proc/self/maps").read().count("libndkernels_"))
    """
    done = installed_all.run("-c", textwrap.dedent(code), str(root / "tools" / "pretended"), str(HOSTS))
    assert done.stdout.startswith("avx2 ndkernels would load avx2 from ")
    assert "because this machine lacks abm, avx, avx2, bmi1, bmi2, f16c, fma, movbe" in done.stdout
    assert done.stdout.splitlines()[-1] == "0", "a library was mapped"


def test_pretending_after_the_loader_was_imported_is_refused(installed_all: Environment, root: Path) -> None:
    code = """
        import sys
        sys.path.insert(0, sys.argv[1])
        import variantkit.loader
        from pretended import Pretence, install
        install(Pretence(host="zen2"))
    """
    done = installed_all.run("-c", textwrap.dedent(code), str(root / "tools" / "pretended"), check=False)
    assert "RuntimeError: the loader of this process has been imported before" in done.stderr


def test_nothing_of_it_is_installed(installed_all: Environment) -> None:
    names = {path.name for path in installed_all.site_packages.rglob("*.py")}
    assert not names & {"pretended.py", "pretend.py", "sitecustomize.py"}
    text = "".join(
        path.read_text(encoding="utf-8") for path in (installed_all.site_packages / "variantkit").rglob("*.py")
    )
    assert "VARIANTKIT_PRETEND" not in text
