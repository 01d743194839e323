"""`ndkernels doctor` on really installed wheels: healthy ones, and those that are broken in the ways that happen."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from environments import Environment
from variantkit.host import detect
from variantkit.report import locate

pytestmark = pytest.mark.wheels

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


@pytest.fixture(scope="module")
def version(root: Path) -> str:
    return locate("none", str(root / "python" / "ndkernels" / "_catalogue.py")).catalogue.version


@pytest.fixture
def avx2(environment_of_all: Environment) -> tuple[Environment, Path]:
    """An environment in which avx2 is the best installed classifier, and its library."""
    assert "avx2" in detect().features, "these tests need a CPU with AVX2"
    environment_of_all.pip("uninstall", "--yes", "ndkernels-avx512")
    return environment_of_all, environment_of_all.site_packages / "ndkernels_avx2" / "libndkernels_avx2.so"


def test_healthy_in_each_way_that_it_is_called(installed_all: Environment, root: Path) -> None:
    catalogue = locate("none", str(root / "python" / "ndkernels" / "_catalogue.py")).catalogue
    status, report, found = doctor(installed_all)
    assert (status, found, report["healthy"]) == (0, {}, True)
    for row in catalogue.classifiers:
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
    avx2: tuple[Environment, Path], index: str, version: str
) -> None:
    environment, library = avx2
    content = bytearray(library.read_bytes())
    content[len(content) // 2] ^= 1
    replace(library, bytes(content))
    status, report, found = doctor(environment, "--ignore", "better-classifier")
    assert status == 1
    assert set(found) == {"library-damaged", "package-damaged"}
    assert "its SHA-256 is" in found["library-damaged"]["message"]
    assert "ndkernels_avx2/libndkernels_avx2.so has other bytes than RECORD says" in found["package-damaged"]["message"]
    assert runs(report)["avx2"]["outcome"] == "not run"
    assert runs(report)["generic"]["outcome"] == "passed"
    words = found["library-damaged"]["mend"].split()
    assert words[1:] == ["-m", "pip", "install", "--force-reinstall", "--no-deps", f"ndkernels-avx2=={version}"]
    environment.pip(*words[3:4], "--index-url", index, *words[4:])
    assert doctor(environment, "--ignore", "better-classifier")[::2] == (0, {})


def test_a_library_that_was_cut_short(avx2: tuple[Environment, Path]) -> None:
    environment, library = avx2
    replace(library, library.read_bytes()[:1000])
    status, report, found = doctor(environment)
    assert status == 1
    assert "1000 bytes, where its MANIFEST says" in found["library-damaged"]["message"]
    assert report["import"]["classifier"] == "generic"


def test_a_classifier_of_another_version(avx2: tuple[Environment, Path], version: str) -> None:
    environment, library = avx2
    set_manifest(library, Version="0.0.9")
    status, report, found = doctor(environment, "--ignore", "package-damaged")
    assert status == 1
    assert f"avx2 is of version 0.0.9, and ndkernels is {version}" in found["version-mismatch"]["message"]
    assert found["version-mismatch"]["mend"].endswith(f"ndkernels-avx2=={version}")
    assert runs(report)["avx2"]["outcome"] == "not run"


def test_an_install_that_is_there_twice(avx2: tuple[Environment, Path], tmp_path: Path) -> None:
    environment, _ = avx2
    other = tmp_path / "other"
    for folder in ("ndkernels", "ndkernels_avx2"):
        shutil.copytree(environment.site_packages / folder, other / folder)
    for info in environment.site_packages.glob("ndkernels*.dist-info"):
        shutil.copytree(info, other / info.name)
    status, report, _ = doctor(environment, PYTHONPATH=str(other))
    assert status == 1
    messages = [each["message"] for each in report["findings"] if each["rule"] == "duplicate"]
    assert len(messages) == 5  # two distributions, the package, two libraries
    for place in (other, environment.site_packages):
        assert sum(str(place) in message for message in messages) == 5
    assert report["import"]["path"].startswith(str(other))


def build_crash(compiler: str, root: Path, library: Path, version: str, *options: str) -> None:
    """Put a library that crashes in the place of an installed one, with a MANIFEST that describes it."""
    built = library.parent.parent / "built.so"
    source = root / "tests" / "data" / "libraries" / "crash.c"
    defines = ['-DCRASH_CLASSIFIER="avx2"', f'-DCRASH_VERSION="{version}"', *options]
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    include = f"-I{root / 'native' / 'include'}"
    command = [compiler, *warnings, "-shared", "-fPIC", include, *defines, str(source), "-o", str(built)]
    subprocess.run(command, check=True)
    content = built.read_bytes()
    replace(library, content)
    set_manifest(library, Size=str(len(content)), SHA256=hashlib.sha256(content).hexdigest())


def test_a_crash_is_contained_and_named(
    avx2: tuple[Environment, Path], compiler: str, root: Path, version: str
) -> None:
    environment, library = avx2
    build_crash(compiler, root, library, version)
    status, report, found = doctor(environment, "--ignore", "package-damaged,better-classifier")
    assert status == 1
    assert set(found) == {"self-test-crashed"}
    message = found["self-test-crashed"]["message"]
    assert message == "The classifier avx2 crashed: it died by SIGILL (Illegal instruction) in 'add float32'."
    assert "set NDKERNELS_CLASSIFIER=generic" in found["self-test-crashed"]["mend"]
    assert runs(report)["avx2"]["outcome"] == "crashed"
    assert runs(report)["generic"]["outcome"] == "passed"
    # What is to be set helps.
    assert doctor(environment, "--ignore", "package-damaged", NDKERNELS_CLASSIFIER="generic")[1]["import"]["why"] == ""


def test_a_library_that_kills_the_import(
    avx2: tuple[Environment, Path], compiler: str, root: Path, version: str
) -> None:
    environment, library = avx2
    build_crash(compiler, root, library, version, "-DCRASH_IN_OPEN")
    assert environment.script("import ndkernels", check=False).returncode == -11
    status, report, found = doctor(environment, "--ignore", "package-damaged,better-classifier")
    assert status == 1
    assert set(found) == {"self-test-crashed"}
    assert "died by SIGSEGV (Segmentation fault) in 'load'" in found["self-test-crashed"]["message"]
    assert runs(report)["generic"]["outcome"] == "passed"
    assert report["import"]["outcome"] == "crashed"


@pytest.mark.parametrize(
    "damage",
    ["binding-cut", "binding-gone", "no-classifiers", "no-catalogue", "bad-catalogue", "half-package", "no-numpy"],
)
def test_no_broken_install_breaks_the_doctor(damage: str, avx2: tuple[Environment, Path]) -> None:
    environment, library = avx2
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
