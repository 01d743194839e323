"""`ndkernels doctor` on really installed wheels: healthy ones, and those that are broken in the ways that happen."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from environments import Environment
from machines import VARIANT_OF, level_here
from variantkit.host import detect
from variantkit.report import locate

pytestmark = pytest.mark.wheels

BEST = VARIANT_OF[level_here()]
"""The best classifier that runs here; these tests need a CPU with AVX2."""
OTHER = next(name for name in VARIANT_OF.values() if name != BEST)

# What depends on the machine that runs these tests, and on what else it does.
MACHINE = "busy,fewer-cpus,hidden-features,no-avx,sources-disagree,too-many-threads"


def doctor(
    environment: Environment, *words: str, **environ: str
) -> tuple[int, dict[str, Any], dict[str, dict[str, str]]]:
    """Return exit status, report, and findings by name."""
    result = environment.run("-m", "ndkernels", "doctor", "--json", "--ignore", MACHINE, *words, check=False, **environ)
    assert "Traceback" not in result.stderr, result.stderr
    assert result.returncode in {0, 1}, result.stderr
    report = json.loads(result.stdout)
    return result.returncode, report, {each["rule"]: each for each in report["findings"]}


def runs(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {run["classifier"]: run for run in report["self_tests"]}


def replace(path: Path, content: bytes) -> None:
    """Write a file anew, and not through its hard links."""
    path.unlink()
    path.write_bytes(content)


def set_manifest(library: Path, **fields: str) -> None:
    manifest = library.parent / "MANIFEST"
    lines = manifest.read_text().splitlines()
    values = {key: value for key, _, value in (line.partition(": ") for line in lines)} | fields
    replace(manifest, "".join(f"{key}: {value}\n" for key, value in values.items()).encode())


def record_again(library: Path) -> None:
    """Write into RECORD what a library and its MANIFEST are now, as if they had been installed so."""
    site = library.parent.parent
    (record,) = site.glob(f"{library.parent.name}-*.dist-info/RECORD")
    lines = []
    for line in record.read_text().splitlines():
        name = line.split(",")[0]
        content = (site / name).read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}" if (site / name).parent == library.parent else line)
    replace(record, "".join(f"{line}\n" for line in lines).encode())


def follow(environment: Environment, mend: str, index: str) -> None:
    """Do what a finding says, in the environment's shell."""
    told = {"PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
    result = subprocess.run(
        ["bash", "-c", mend], cwd="/", env=environment.environ(**told), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def version(root: Path) -> str:
    return locate("none", str(root / "python" / "ndkernels" / "_catalogue.py")).catalogue.version


@pytest.fixture
def best(environment_of_all: Environment) -> tuple[Environment, Path]:
    """An environment in which the best classifier for this machine is the only one beside the base installed classifier, and its library."""
    assert "avx2" in detect().features, "these tests need a CPU with AVX2"
    environment_of_all.pip("uninstall", "--yes", f"ndkernels-{OTHER}")
    return environment_of_all, environment_of_all.site_packages / f"ndkernels_{BEST}" / f"libndkernels_{BEST}.so"


def test_healthy_in_each_way_that_it_is_called(installed_all: Environment, root: Path) -> None:
    catalogue = locate("none", str(root / "python" / "ndkernels" / "_catalogue.py")).catalogue
    status, report, found = doctor(installed_all)
    assert (status, found, report["healthy"]) == (0, {}, True)
    for row in (each for each in catalogue.classifiers if not each.on_request):
        run = runs(report)[row.name]
        missing = detect().missing(row.features)
        if missing:
            assert run["outcome"] == "not run"
            assert f"lacks {', '.join(missing)}" in run["why"]
        else:
            assert (run["outcome"], run["why"]) == ("passed", "")
            assert run["checks"] >= 22
    threads = installed_all.json("import ndkernels; print(ndkernels.get_num_threads())")
    assert report["threads"] == threads
    script = [str(installed_all.folder / "bin" / "ndkernels"), "doctor"]
    module = [str(installed_all.python), "-m", "variantkit", "doctor", "ndkernels"]
    for command in (script, module, [str(installed_all.python), "-m", "ndkernels", "doctor"]):
        result = subprocess.run(
            [*command, "--ignore", MACHINE],
            cwd="/",
            env=installed_all.environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.stdout.endswith("\nhealthy\n"), result.stdout + result.stderr
        assert (result.returncode, result.stderr) == (0, "")


def test_wrong_use(installed_all: Environment) -> None:
    for words in (["doctor", "--nothing"], ["doctor", "--ignore", "nothing"], ["cure"]):
        result = installed_all.run("-m", "ndkernels", *words, check=False)
        assert result.returncode == 2
        assert result.stderr
        assert "Traceback" not in result.stderr
    assert installed_all.run("-m", "ndkernels").stdout.startswith("ndkernels\n")


def test_the_doctor_is_called_for_this_package_only(installed_all: Environment, tmp_path: Path) -> None:
    """A program that imports ndkernels may be started with the same words."""
    (tmp_path / "clinic.py").write_text("import ndkernels\nprint(ndkernels.__version__)\n")
    result = installed_all.run("-m", "clinic", "doctor", PYTHONPATH=str(tmp_path))
    assert (
        result.stdout.strip() == installed_all.script("import ndkernels; print(ndkernels.__version__)").stdout.strip()
    )


def test_a_better_classifier_is_missing(fresh_environment: Environment, index: str) -> None:
    fresh_environment.pip("install", "--index-url", index, "ndkernels")
    status, report, found = doctor(fresh_environment)
    assert status == 1
    assert set(found) == {"better-classifier"}
    assert '-m pip install "ndkernels[' in found["better-classifier"]["mend"]
    assert runs(report)["generic"]["outcome"] == "passed"


def test_a_damaged_library_is_not_started_and_the_command_mends_it(
    best: tuple[Environment, Path], index: str, version: str
) -> None:
    environment, library = best
    content = bytearray(library.read_bytes())
    content[len(content) // 2] ^= 1
    replace(library, bytes(content))
    status, report, found = doctor(environment, "--ignore", "better-classifier")
    assert status == 1
    assert set(found) == {"library-damaged"}
    assert "its SHA-256 is" in found["library-damaged"]["message"]
    damage = {item["name"]: item["damage"] for item in report["distributions"]}
    assert damage[f"ndkernels-{BEST}"] == [f"ndkernels_{BEST}/libndkernels_{BEST}.so has other bytes than RECORD says"]
    assert (report["import"]["classifier"], report["import"]["held_back"]) == ("generic", BEST)
    assert runs(report)[BEST]["outcome"] == "not run"
    assert runs(report)["generic"]["outcome"] == "passed"
    words = found["library-damaged"]["mend"].split()
    assert words[1:] == ["-m", "pip", "install", "--force-reinstall", "--no-deps", f"ndkernels-{BEST}=={version}"]
    environment.pip(*words[3:4], "--index-url", index, *words[4:])
    assert doctor(environment, "--ignore", "better-classifier")[::2] == (0, {})


def test_a_library_that_was_cut_short(best: tuple[Environment, Path]) -> None:
    environment, library = best
    replace(library, library.read_bytes()[:1000])
    status, report, found = doctor(environment)
    assert status == 1
    assert "1000 bytes, where its MANIFEST says" in found["library-damaged"]["message"]
    assert report["import"]["classifier"] == "generic"


def test_a_classifier_of_another_version(best: tuple[Environment, Path], version: str) -> None:
    environment, library = best
    set_manifest(library, Version="0.0.9")
    record_again(library)
    status, report, found = doctor(environment)
    assert status == 1
    assert f"{BEST} is of version 0.0.9, and ndkernels is {version}" in found["version-mismatch"]["message"]
    assert found["version-mismatch"]["mend"].endswith(f"ndkernels-{BEST}=={version}")
    assert runs(report)[BEST]["outcome"] == "not run"


def test_an_install_that_is_there_twice(best: tuple[Environment, Path], tmp_path: Path) -> None:
    environment, _ = best
    other = tmp_path / "other"
    for folder in ("ndkernels", f"ndkernels_{BEST}"):
        shutil.copytree(environment.site_packages / folder, other / folder)
    for info in environment.site_packages.glob("ndkernels*.dist-info"):
        shutil.copytree(info, other / info.name)
    status, report, _ = doctor(environment, PYTHONPATH=str(other))
    assert status == 1
    # Two distributions, the package and two libraries are one thing.
    (finding,) = report["findings"]
    assert finding["message"] == (
        f"ndkernels and ndkernels-{BEST} are there twice: in {other}, where ndkernels is imported from, and in "
        f"{environment.site_packages}."
    )
    assert finding["mend"] == "unset PYTHONPATH"
    assert report["import"]["path"].startswith(str(other))
    # Damage that is only in that copy is gone with it.
    replace(other / f"ndkernels_{BEST}" / f"libndkernels_{BEST}.so", b"short")
    (other / "ndkernels" / "_threads.py").unlink()
    (finding,) = doctor(environment, PYTHONPATH=str(other))[1]["findings"]
    assert {each["rule"] for each in finding["follows"]} >= {"package-damaged", "import-failed"}
    script = f"{finding['mend']}; {environment.python} -m ndkernels doctor --ignore {MACHINE}"
    shell = environment.environ(PYTHONPATH=str(other))
    assert subprocess.run(["bash", "-c", script], cwd="/", env=shell, capture_output=True, check=False).returncode == 0


def test_one_release_over_another(best: tuple[Environment, Path], index: str) -> None:
    """As images of containers get it whose layers are copied over each other."""
    environment, library = best
    site = environment.site_packages
    for info in list(site.glob("ndkernels*-0.1.0.dist-info")):
        old = site / info.name.replace("0.1.0", "0.0.9")
        shutil.copytree(info, old)
        replace(old / "METADATA", (info / "METADATA").read_bytes().replace(b"Version: 0.1.0", b"Version: 0.0.9"))
        replace(old / "RECORD", (info / "RECORD").read_bytes().replace(b"0.1.0.dist-info", b"0.0.9.dist-info"))
    (site / "ndkernels" / "_threads.py").unlink()
    replace(library, library.read_bytes()[:1000])
    status, report, found = doctor(environment)
    assert status == 1
    assert set(found) == {"duplicate"}
    assert f"ndkernels 0.0.9 and 0.1.0; ndkernels-{BEST} 0.0.9 and 0.1.0" in found["duplicate"]["message"]
    (finding,) = (each for each in report["findings"] if each["rule"] == "duplicate")
    assert {each["rule"] for each in finding["follows"]} >= {"package-damaged", "library-damaged", "import-failed"}
    follow(environment, finding["mend"], index)
    assert doctor(environment)[::2] == (0, {})


def test_a_manifest_that_was_deleted(best: tuple[Environment, Path], index: str, version: str) -> None:
    """pip takes the classifier for installed, and would do nothing."""
    environment, library = best
    (library.parent / "MANIFEST").unlink()
    for record in (True, False):
        if not record:
            (library.parent / "MANIFEST").unlink()
            next(environment.site_packages.glob(f"ndkernels_{BEST}-*.dist-info/RECORD")).unlink()
        status, _, found = doctor(environment, "--ignore", "unchecked")
        assert status == 1
        (rule,) = found
        assert rule == ("package-damaged" if record else "better-classifier")
        assert found[rule]["mend"].endswith(f" --force-reinstall --no-deps ndkernels-{BEST}=={version}")
        if record:
            follow(environment, found[rule]["mend"], index)
            assert doctor(environment)[::2] == (0, {})


def test_a_library_that_was_replaced_with_its_manifest(
    best: tuple[Environment, Path], compiler: str, root: Path, version: str, index: str
) -> None:
    environment, library = best
    build_crash(compiler, root, library, version, "-DCRASH_IN_OPEN", record=False)
    status, report, found = doctor(environment)
    assert status == 1
    assert set(found) == {"library-damaged"}
    assert "its library and its MANIFEST were overwritten after it was installed" in found["library-damaged"]["message"]
    assert {name: run["outcome"] for name, run in runs(report).items()} == {"generic": "passed", BEST: "not run"}
    assert (report["import"]["outcome"], report["import"]["held_back"]) == ("passed", BEST)
    follow(environment, found["library-damaged"]["mend"], index)
    assert doctor(environment)[::2] == (0, {})


def test_what_was_installed_from_a_file_is_installed_from_it_again(
    best: tuple[Environment, Path], wheelhouse: Path
) -> None:
    environment, library = best
    (wheel,) = wheelhouse.glob(f"ndkernels_{BEST}-*.whl")
    nothing = {name: "" for name in os.environ if name.startswith(("PIP_", "UV_"))} | {"PIP_CONFIG_FILE": os.devnull}
    replace(library, library.read_bytes()[:1000])
    finding = doctor(environment, **nothing)[2]["library-damaged"]
    assert finding["hint"] == "add the --index-url or --find-links that it was installed with"
    assert doctor(environment, **nothing, PIP_INDEX_URL="file:///index")[2]["library-damaged"]["hint"] == ""
    # A folder in the settings may have other packages only.
    finding = doctor(environment, **{**nothing, "PIP_FIND_LINKS": str(wheelhouse.parent)})[2]["library-damaged"]
    assert finding["hint"].startswith("if it is in none of the configured places, add the --index-url")
    environment.pip("install", "--no-index", "--force-reinstall", "--no-deps", str(wheel))
    assert doctor(environment)[::2] == (0, {})
    replace(library, library.read_bytes()[:1000])
    finding = doctor(environment, **nothing)[2]["library-damaged"]
    assert shlex.split(finding["mend"])[1:] == ["-m", "pip", "install", "--force-reinstall", "--no-deps", str(wheel)]
    assert finding["hint"] == ""


@pytest.mark.parametrize("lost", ["variantkit*", "variantkit", "variantkit/errors.py", "variantkit/doctor/observe.py"])
def test_without_the_loader_there_is_a_line_that_says_so(lost: str, fresh_environment: Environment, index: str) -> None:
    fresh_environment.pip("install", "--index-url", index, "ndkernels")
    for path in fresh_environment.site_packages.glob(lost):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    python = str(fresh_environment.python)
    script = str(fresh_environment.folder / "bin" / "ndkernels")
    mends = set()
    for command in ([python, "-m", "ndkernels", "doctor"], [script, "doctor"]):
        result = subprocess.run(
            command, cwd="/", env=fresh_environment.environ(), capture_output=True, text=True, check=False
        )
        assert (result.returncode, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert "needs variantkit, which is " in line
        mends.add(line.rpartition(": ")[2])
    (mend,) = mends
    assert mend.endswith(" variantkit==0.1.0")
    follow(fresh_environment, mend, index)
    assert set(doctor(fresh_environment)[2]) <= {"better-classifier"}


def build_crash(compiler: str, root: Path, library: Path, version: str, *options: str, record: bool = True) -> None:
    """Put a library that crashes in the place of an installed one, with a MANIFEST that describes it."""
    built = library.parent.parent / "built.so"
    source = root / "tests" / "data" / "libraries" / "crash.c"
    defines = [f'-DCRASH_CLASSIFIER="{BEST}"', f'-DCRASH_VERSION="{version}"', *options]
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    include = f"-I{root / 'native' / 'include'}"
    command = [compiler, *warnings, "-shared", "-fPIC", include, *defines, str(source), "-o", str(built)]
    subprocess.run(command, check=True)
    content = built.read_bytes()
    replace(library, content)
    set_manifest(library, Size=str(len(content)), SHA256=hashlib.sha256(content).hexdigest())
    if record:
        record_again(library)


def test_a_crash_is_contained_and_named(
    best: tuple[Environment, Path], compiler: str, root: Path, version: str
) -> None:
    environment, library = best
    build_crash(compiler, root, library, version)
    status, report, found = doctor(environment, "--ignore", "better-classifier")
    assert status == 1
    assert set(found) == {"self-test-crashed"}
    message = found["self-test-crashed"]["message"]
    assert message == f"The classifier {BEST} crashed: it died by SIGILL (Illegal instruction) in 'add float32'."
    assert "set NDKERNELS_CLASSIFIER=generic" in found["self-test-crashed"]["mend"]
    assert runs(report)[BEST]["outcome"] == "crashed"
    assert runs(report)["generic"]["outcome"] == "passed"
    # What is to be set helps.
    assert doctor(environment, NDKERNELS_CLASSIFIER="generic")[1]["import"]["why"] == ""


def test_a_library_that_kills_the_import(
    best: tuple[Environment, Path], compiler: str, root: Path, version: str
) -> None:
    environment, library = best
    build_crash(compiler, root, library, version, "-DCRASH_IN_OPEN")
    assert environment.script("import ndkernels", check=False).returncode == -11
    status, report, found = doctor(environment, "--ignore", "better-classifier")
    assert status == 1
    assert set(found) == {"self-test-crashed"}
    assert "died by SIGSEGV (Segmentation fault) in 'load'" in found["self-test-crashed"]["message"]
    assert runs(report)["generic"]["outcome"] == "passed"
    assert report["import"]["outcome"] == "crashed"


@pytest.mark.parametrize(
    "damage",
    ["binding-cut", "binding-gone", "no-classifiers", "no-catalogue", "bad-catalogue", "half-package", "no-numpy"],
)
def test_no_broken_install_breaks_the_doctor(damage: str, best: tuple[Environment, Path]) -> None:
    environment, library = best
    package = environment.site_packages / "ndkernels"
    (binding,) = package.glob("_binding*.so")
    expected = "package-damaged"
    if damage == "binding-cut":
        replace(binding, binding.read_bytes()[: binding.stat().st_size // 2])
    elif damage == "binding-gone":
        binding.unlink()
    elif damage == "no-classifiers":
        shutil.rmtree(package / "classifiers")
        library.unlink()
    elif damage == "no-catalogue":
        (package / "_catalogue.py").unlink()
    elif damage == "bad-catalogue":
        replace(package / "_catalogue.py", b"CATALOGUE = Catalogue(\n")
    elif damage == "half-package":
        (package / "_elementwise.py").unlink()
    else:
        shutil.rmtree(environment.site_packages / "numpy")
        expected = "self-test-failed"
    status, report, found = doctor(environment)
    assert status == 1
    assert expected in found
    assert found[expected]["mend"]
    # What follows from it is told below it.
    assert set(found) - {"source-missing", "better-classifier", "library-damaged"} == {expected}
    assert not report["healthy"]
    script = subprocess.run(
        # By its Python: the first line of the script names that of the environment which this one is a copy of.
        [str(environment.folder / "bin" / "python"), str(environment.folder / "bin" / "ndkernels"), "doctor"],
        cwd="/", env=environment.environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (script.returncode, script.stderr) == (1, "")
    assert "mend: " in script.stdout


def test_starting_up_costs_no_more_for_it(installed_all: Environment) -> None:
    code = "import sys; before = set(sys.modules); import ndkernels; print(*sorted(set(sys.modules) - before))"
    added = installed_all.script(code).stdout.split()
    assert "ndkernels._binding" in added
    assert [name for name in added if "doctor" in name or "selftest" in name or name.startswith("variantkit.cli")] == []
