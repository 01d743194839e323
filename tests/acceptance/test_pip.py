"""What pip does with a release; it knows nothing of variants, and takes the base wheel and the extras."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from environments import Environment
from index_server import IndexServer
from machines import VARIANT_OF, Uv, installed_label, level_here, loaded_here
from releases import Release, Tool, left_of_us, partial_index, sha256

BEST = VARIANT_OF.get(level_here(), "generic")


def install(environment: Environment, index: IndexServer, *words: str, check: bool = True) -> str:
    result = environment.pip("install", "--index-url", index.simple, *words, check=check)
    return result.stdout + result.stderr


def test_pip_is_the_one_that_users_have(fresh_environment: Environment) -> None:
    version = fresh_environment.pip("--version").stdout.split()[1]
    assert int(version.split(".")[0]) >= 26


def test_the_base_and_then_an_extra(fresh_environment: Environment, served: IndexServer) -> None:
    assert BEST != "generic", "this machine has no AVX2: run the tests where a classifier wheel can be loaded"
    said = install(fresh_environment, served, "ndkernels")
    # An index has variants beside it, and not a word is said about them.
    assert not re.search("variant(?!kit)|warning|error", said, re.IGNORECASE), said
    assert installed_label(fresh_environment) is None
    found = loaded_here(fresh_environment)
    assert found["classifier"] == "generic"
    ((category, message),) = found["warnings"]
    assert category == "BetterVariantWarning"
    assert f'-m pip install "ndkernels[{BEST}]"' in message

    served.asked.clear()
    install(fresh_environment, served, f"ndkernels[{BEST}]")
    assert [name.split("-")[0] for name in served.files(".whl")] == [f"ndkernels_{BEST}"]
    found = loaded_here(fresh_environment)
    assert found["classifier"] == BEST
    assert found["warnings"] == []
    assert served.page_types() == {served.page_type}


@pytest.mark.parametrize("extras", ["avx2,avx512", "all"])
def test_several_extras_at_once(fresh_environment: Environment, served_html: IndexServer, extras: str) -> None:
    install(fresh_environment, served_html, f"ndkernels[{extras}]")
    names = {path.name.split("-")[0] for path in fresh_environment.site_packages.glob("*.dist-info")}
    assert {"ndkernels", "ndkernels_avx2", "ndkernels_avx512", "variantkit"} <= names
    found = loaded_here(fresh_environment)
    assert found["classifier"] == BEST
    assert found["warnings"] == []


def test_uninstall_leaves_nothing(fresh_environment: Environment, served_html: IndexServer) -> None:
    install(fresh_environment, served_html, "ndkernels[all]")
    loaded_here(fresh_environment)
    names = ["ndkernels", "ndkernels-avx2", "ndkernels-avx512", "variantkit"]
    fresh_environment.pip("uninstall", "--yes", *names)
    assert left_of_us(fresh_environment) == []


def test_upgrade_to_the_next_release_and_back(
    fresh_environment: Environment, served_both: IndexServer, release: Release, next_release: Release
) -> None:
    install(fresh_environment, served_both, f"ndkernels[{BEST}]")
    # A snapshot is a pre-release: nobody gets one who has not asked for it.
    assert loaded_here(fresh_environment)["version"] == release.version
    install(fresh_environment, served_both, "--upgrade", "--pre", f"ndkernels[{BEST}]")
    found = loaded_here(fresh_environment)
    assert (found["version"], found["classifier"], found["warnings"]) == (next_release.version, BEST, [])
    install(fresh_environment, served_both, f"ndkernels[{BEST}]=={release.version}")
    found = loaded_here(fresh_environment)
    assert (found["version"], found["classifier"], found["warnings"]) == (release.version, BEST, [])


def test_the_base_alone_in_another_version(
    fresh_environment: Environment, served_both: IndexServer, release: Release, next_release: Release
) -> None:
    install(fresh_environment, served_both, "--pre", f"ndkernels[{BEST}]")
    # Both named: there is no answer, and nothing is changed.
    said = install(
        fresh_environment, served_both,
        f"ndkernels=={release.version}", f"ndkernels-{BEST}=={next_release.version}", check=False,
    )  # fmt: skip
    assert "ResolutionImpossible" in said
    assert loaded_here(fresh_environment)["version"] == next_release.version

    # One named: pip looks at what is installed only afterwards, says that it does not fit, and leaves it so.
    conflict = f"ndkernels-{BEST} {next_release.version} requires ndkernels=={next_release.version}, but you have"
    assert conflict in install(fresh_environment, served_both, f"ndkernels=={release.version}")
    assert fresh_environment.pip("check", check=False).returncode == 1
    found = loaded_here(fresh_environment)
    assert (found["version"], found["classifier"]) == (release.version, "generic")
    ((category, message),) = found["warnings"]
    assert category == "ClassifierFallbackWarning"

    # The command in the loader's warning mends it.
    words = message.rpartition(" -m pip ")[2].split()
    assert words[0] == "install"
    install(fresh_environment, served_both, *words[1:])
    found = loaded_here(fresh_environment)
    assert (found["classifier"], found["warnings"]) == (BEST, [])
    assert fresh_environment.pip("check").returncode == 0


def test_from_a_folder_without_any_index(fresh_environment: Environment, release: Release) -> None:
    # The folder has variant wheels and a file of variants, which are passed over.
    fresh_environment.pip("install", "--no-index", "--find-links", str(release.dist), f"ndkernels[{BEST}]")
    assert installed_label(fresh_environment) is None
    assert loaded_here(fresh_environment)["classifier"] == BEST


def test_from_the_page_of_a_project(fresh_environment: Environment, served_html: IndexServer) -> None:
    pages = [f"{served_html.simple}{name}/" for name in ("ndkernels", "variantkit")]
    fresh_environment.pip("install", "--no-index", *(f"--find-links={page}" for page in pages), "ndkernels")
    assert installed_label(fresh_environment) is None
    assert loaded_here(fresh_environment)["classifier"] == "generic"


def test_with_hashes(
    fresh_environment: Environment, served: IndexServer, uv_here: Uv, release: Release, tmp_path: Path
) -> None:
    asked = tmp_path / "requirements.in"
    asked.write_text(f"ndkernels[{BEST}]\n")
    uv_here(
        "pip", "compile", "--generate-hashes", "--index", served.simple, "--python", str(fresh_environment.python),
        "--output-file", "requirements.txt", str(asked), cwd=tmp_path,
    )  # fmt: skip
    written = tmp_path / "requirements.txt"
    # What else is needed comes from PyPI, as for users.
    words = ["--extra-index-url", served.simple, "--require-hashes", "--requirement", str(written)]
    fresh_environment.pip("install", *words)
    assert loaded_here(fresh_environment)["classifier"] == BEST

    fresh_environment.pip("uninstall", "--yes", f"ndkernels-{BEST}")
    right = sha256(release.wheel(f"ndkernels_{BEST}"))
    assert right in written.read_text()
    written.write_text(written.read_text().replace(right, "0" * 64))
    result = fresh_environment.pip("install", *words, check=False)
    assert result.returncode == 1
    assert "DO NOT MATCH THE HASHES" in result.stderr
    assert loaded_here(fresh_environment)["classifier"] == "generic"


def test_a_yanked_release(
    copies: Callable[[str], Environment], next_release: Release, serve: Callable[..., IndexServer], run_tool: Tool,
    tmp_path: Path,
) -> None:  # fmt: skip
    index = shutil.copytree(next_release.index, tmp_path / "index", symlinks=True)
    run_tool("tools.index", "--out", index, "--yank", next_release.version, "--reason", "it computes 5 for 2 + 2")
    server = serve(index)
    passed_over, asked_for = copies("passed-over"), copies("asked-for")
    install(passed_over, server, "--pre", "ndkernels")
    assert loaded_here(passed_over)["version"] != next_release.version
    said = install(asked_for, server, f"ndkernels=={next_release.version}")
    assert "it computes 5 for 2 + 2" in said
    assert loaded_here(asked_for)["version"] == next_release.version


def test_an_index_with_variants_only(
    fresh_environment: Environment, release: Release, serve: Callable[..., IndexServer], tmp_path: Path
) -> None:
    server = serve(partial_index(release, tmp_path / "index", lambda name: "_x86_64.whl" not in name))
    said = install(fresh_environment, server, "--only-binary", ":all:", "ndkernels", check=False)
    assert "(from versions: none)" in said
    assert "No matching distribution found for ndkernels" in said


def test_a_variant_by_its_path(fresh_environment: Environment, release: Release) -> None:
    variant = release.wheel("ndkernels", "avx2")
    result = fresh_environment.pip(
        "install", "--no-index", "--find-links", str(release.dist), str(variant), check=False
    )
    assert result.returncode == 1
    assert "Invalid build number: cp" in result.stderr  # the label makes it six parts, and the third is a Python tag


def test_resolution_reads_metadata_and_no_wheel(fresh_environment: Environment, served: IndexServer) -> None:
    install(fresh_environment, served, "--dry-run", "ndkernels[all]")
    assert served.files(".whl") == []
    assert {name.split("-")[0] for name in served.files(".metadata")} == {
        "ndkernels", "ndkernels_avx2", "ndkernels_avx512", "variantkit"
    }  # fmt: skip
    served.asked.clear()
    install(fresh_environment, served, "ndkernels")
    assert sorted(name.split("-")[0] for name in served.files(".whl")) == ["ndkernels", "variantkit"]
