"""The wheels, installed by real installers into fresh environments, and what is loaded there."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from environments import Environment
from variantkit import hostfile
from variantkit.catalogue import Catalogue
from variantkit.host import detect
from variantkit.report import locate

pytestmark = pytest.mark.wheels

SHOW = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import ndkernels
config = ndkernels.show_config(mode="dicts")
print(json.dumps({"config": config, "warnings": [[w.category.__name__, str(w.message)] for w in caught]}, default=str))
"""


@pytest.fixture(scope="module")
def catalogue(root: Path) -> Catalogue:
    return locate("none", str(root / "python" / "ndkernels" / "_catalogue.py")).catalogue


def best_here(catalogue: Catalogue) -> str:
    features = detect().features
    rows = (row for row in catalogue.classifiers if row.features <= features and not row.on_request)
    return max(rows, key=lambda row: row.rank).name


def test_pip_takes_the_base_then_the_extra(fresh_environment: Environment, index: str, catalogue: Catalogue) -> None:
    best = best_here(catalogue)
    assert best != "generic", "this machine has no AVX2: run the tests where a classifier wheel can be loaded"
    fresh_environment.pip("install", "--index-url", index, "ndkernels")
    found = fresh_environment.json(SHOW)
    assert found["config"]["classifier"] == "generic"
    ((category, message),) = found["warnings"]
    assert category == "BetterVariantWarning"
    assert f'-m pip install "ndkernels[{best}]"' in message

    # The command of the warning, with the index that the wheels are on here.
    fresh_environment.pip("install", "--index-url", index, f"ndkernels[{best}]")
    found = fresh_environment.json(SHOW)
    assert found["config"]["classifier"] == best
    # dl4j#8585: no warning when the best one is loaded.
    assert found["warnings"] == []


def test_uv_is_named_where_uv_installed_it(fresh_environment: Environment, index: str, catalogue: Catalogue) -> None:
    fresh_environment.uv_install("--no-config", "--default-index", index, "ndkernels")
    found = fresh_environment.json(SHOW)
    assert found["config"]["classifier"] == "generic"
    ((_, message),) = found["warnings"]
    assert f'uv pip install "ndkernels[{best_here(catalogue)}]"' in message


def test_uninstall_leaves_nothing(environment_of_all: Environment) -> None:
    environment_of_all.script("import ndkernels")
    environment_of_all.pip("uninstall", "--yes", "ndkernels", "ndkernels-avx2", "ndkernels-avx512", "variantkit")
    left = [
        path.name
        for path in environment_of_all.site_packages.iterdir()
        if "ndkernels" in path.name or "variantkit" in path.name
    ]
    assert left == []


def test_all_classifiers_load_the_best(installed_all: Environment, catalogue: Catalogue) -> None:
    found = installed_all.json(SHOW)
    assert found["config"]["classifier"] == best_here(catalogue)
    assert found["warnings"] == []


# The loader asks variantkit.host; a recorded machine answers instead, and the real libraries are opened.
RECORDED = """
import json, sys, warnings
import variantkit.loader as loader
from variantkit import hostfile
recorded = hostfile.read(sys.argv[1]).detect()
loader.detect = lambda *arguments, **settings: recorded
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import ndkernels, numpy
result = float(ndkernels.matmul(numpy.ones((3, 4), "f4"), numpy.ones((4, 5), "f4")).sum())
print(json.dumps({"classifier": ndkernels.show_config(mode="dicts")["classifier"], "result": result,
                  "warnings": [str(w.message) for w in caught]}))
"""


@pytest.mark.parametrize("name", ["ivybridge", "kvm64", "masked-avx", "rosetta-linux", "guest-clearcpuid-xsave", "k10"])
def test_dl4j_8621_generic_and_avx2_installed_on_a_machine_without_avx2(
    installed_all: Environment, root: Path, name: str
) -> None:
    recorded = root / "tests" / "data" / "hosts" / f"{name}.toml"
    assert hostfile.read(recorded).detect().missing(["avx2"]) == ("avx2",)
    result = installed_all.run("-c", RECORDED, str(recorded))
    assert '"classifier": "generic"' in result.stdout
    assert '"result": 60.0' in result.stdout
    assert '"warnings": []' in result.stdout


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ("avx3", "UnknownClassifierError", "choose from generic, onednn, avx2, onednn-avx2, avx512"),
        ("avx512", "ClassifierNotInstalledError", "install it with:"),
    ],
)
def test_a_forced_classifier_that_cannot_be_loaded_is_an_error(
    fresh_environment: Environment, index: str, root: Path, value: str, error: str, words: str
) -> None:
    fresh_environment.pip("install", "--index-url", index, "ndkernels")
    recorded = root / "tests" / "data" / "hosts" / "sapphirerapids.toml"
    result = fresh_environment.run("-c", RECORDED, str(recorded), check=False, NDKERNELS_CLASSIFIER=value)
    assert result.returncode == 1
    assert error in result.stderr
    assert words in result.stderr


def test_a_forced_classifier_that_is_not_runnable_is_an_error(installed_all: Environment, root: Path) -> None:
    recorded = root / "tests" / "data" / "hosts" / "knights-landing.toml"
    result = installed_all.run("-c", RECORDED, str(recorded), check=False, NDKERNELS_CLASSIFIER="avx512")
    assert result.returncode == 1
    assert "ClassifierNotRunnableError" in result.stderr
    assert "avx512bw" in result.stderr


def test_a_forced_lower_classifier_is_loaded_without_a_warning(installed_all: Environment) -> None:
    found = installed_all.json(SHOW, NDKERNELS_CLASSIFIER="generic")
    assert found["config"]["classifier"] == "generic"
    assert found["warnings"] == []


def test_the_warning_can_be_silenced(fresh_environment: Environment, index: str) -> None:
    fresh_environment.pip("install", "--index-url", index, "ndkernels")
    assert fresh_environment.json(SHOW, NDKERNELS_WARN="0")["warnings"] == []
    assert fresh_environment.script("import ndkernels", NDKERNELS_WARN="0").stderr == ""
    seen = fresh_environment.script("import ndkernels; import ndkernels._config").stderr
    assert seen.count("BetterVariantWarning") == 1
    # At the user's line, so that filters by module work and the message says where to look.
    assert seen.startswith("<string>:1: BetterVariantWarning")


def test_one_log_line_says_what_was_loaded(installed_all: Environment, catalogue: Catalogue) -> None:
    code = "import logging; logging.basicConfig(level=logging.INFO); import ndkernels"
    lines = installed_all.script(code).stderr.splitlines()
    assert len(lines) == 1
    assert f"loaded {best_here(catalogue)} from" in lines[0]
    assert installed_all.script("import ndkernels").stderr == ""


def test_import_needs_no_heavy_module(installed_all: Environment) -> None:
    code = "import sys; before = set(sys.modules); import ndkernels; print(*sorted(set(sys.modules) - before))"
    added = set(installed_all.script(code).stdout.split())
    heavy = {
        "numpy",
        "json",
        "re",
        "dataclasses",
        "logging",
        "typing",
        "pathlib",
        "enum",
        "ctypes",
        "platform",
        "cpuinfo",
        "inspect",
        "importlib.metadata",
        "subprocess",
        "threading",
    }
    assert "ndkernels._binding" in added
    assert added & heavy == set()


def test_nuitka_3437_a_frozen_application_starts_no_process(installed_all: Environment) -> None:
    code = """
    import sys
    started = []
    names = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system")
    sys.addaudithook(lambda event, arguments: started.append(event) if event in names else None)
    sys.frozen = True
    import ndkernels
    from variantkit import host
    host.detect(all_sources=True)
    print("started:", started)
    """
    assert installed_all.script(code).stdout == "started: []\n"


def test_the_current_directory_is_not_searched(environment_of_all: Environment, tmp_path: Path) -> None:
    # ggml-backend-reg.cpp opens every library that lies in the current directory.
    site = environment_of_all.site_packages
    (site / "ndkernels_avx2").rename(tmp_path / "ndkernels_avx2")
    code = f"import os; os.chdir({str(tmp_path)!r})\n{SHOW}"
    found = environment_of_all.json(code)
    assert "avx2" not in {row["classifier"] if isinstance(row, dict) else row for row in found["config"]["installed"]}


def test_python_m_ndkernels_tells_what_is_loaded(installed_all: Environment, catalogue: Catalogue) -> None:
    result = installed_all.run("-m", "ndkernels")
    assert best_here(catalogue) in result.stdout


def test_detect_reports_and_says_by_its_status_whether_a_better_one_exists(
    fresh_environment: Environment, index: str, catalogue: Catalogue
) -> None:
    best = best_here(catalogue)
    fresh_environment.pip("install", "--index-url", index, "ndkernels")
    result = fresh_environment.run("-m", "variantkit", "detect", check=False)
    assert result.returncode == 10
    assert f'-m pip install "ndkernels[{best}]"' in result.stdout
    assert "sources      kernel, cpuid, py-cpuinfo" in result.stdout
    fresh_environment.pip("install", "--index-url", index, f"ndkernels[{best}]")
    result = fresh_environment.run("-m", "variantkit", "detect", "ndkernels")
    assert f"loaded       {best} from" in result.stdout
    assert "the best classifier for this machine is installed" in result.stdout


def test_the_sdist_builds_the_base_wheel_with_plain_pip(
    fresh_environment: Environment, wheelhouse: Path, root: Path, tmp_path: Path
) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--sdist", "--installer", "uv", "--outdir", str(tmp_path), str(root)],
        check=True, capture_output=True,
    )  # fmt: skip
    (sdist,) = tmp_path.glob("ndkernels-*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=root, check=True, capture_output=True, text=True).stdout.split()
    top = {"LICENSE", "README.md", "classifiers.toml", "pyproject.toml", "PKG-INFO"}
    assert members == top | {path for path in tracked if path.startswith(("native/", "python/"))}
    fresh_environment.pip("install", "--no-index", "--no-deps", *map(str, wheelhouse.glob("variantkit-*.whl")))
    # Build isolation as users have it: build requirements come from PyPI.
    result = fresh_environment.pip("install", str(sdist))
    assert "Successfully installed ndkernels-" in result.stdout
    assert fresh_environment.json(SHOW, NDKERNELS_WARN="0")["config"]["classifier"] == "generic"
