"""What uv does with a release: without its preview of wheel variants as pip does, with it the best one for the machine.

The machines of other levels are made by replacing what the kernel says of the CPU, which is what uv reads. Facts about uv
are those of the version that the requirements name; where one of these tests fails with another, uv has changed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from environments import Environment
from index_server import IndexServer
from machines import VARIANT_OF, Uv, installed_label, level_here, loaded_here
from releases import Release, Tool, left_of_us, partial_index

LEVELS = ["x86-64-v2", "x86-64-v3", "x86-64-v4"]
HERE = VARIANT_OF.get(level_here(), "null")
BEST = VARIANT_OF.get(level_here(), "generic")
JSON = "-variants.json"


def plain(name: str) -> bool:
    return name.endswith("_x86_64.whl")


def classifiers_in(environment: Environment) -> set[str]:
    return {path.name for path in (environment.site_packages / "ndkernels" / "classifiers").iterdir()}


def test_uv_is_the_version_that_these_facts_are_about(uv_here: Uv) -> None:
    assert uv_here("--version").stdout.split()[1] == "0.13.9"


def test_without_the_preview_the_base_wheel(fresh_environment: Environment, served: IndexServer, uv_here: Uv) -> None:
    result = uv_here.install(fresh_environment, "--default-index", served.simple, "ndkernels")
    assert "warning" not in result.stderr
    assert installed_label(fresh_environment) is None
    assert classifiers_in(fresh_environment) == {"generic"}
    assert loaded_here(fresh_environment)["classifier"] == "generic"
    assert [name for name in served.files() if name.endswith(JSON)] == []


def test_without_the_preview_the_extras(fresh_environment: Environment, served: IndexServer, uv_here: Uv) -> None:
    uv_here.install(fresh_environment, "--default-index", served.simple, "ndkernels[all]")
    found = loaded_here(fresh_environment)
    assert (found["classifier"], found["warnings"]) == (BEST, [])


def test_with_the_preview_the_best_variant_of_this_machine(
    fresh_environment: Environment, served: IndexServer, uv_here: Uv
) -> None:
    result = uv_here.install(fresh_environment, "--default-index", served.simple, "ndkernels", variants=True)
    assert "warning" not in result.stderr
    assert installed_label(fresh_environment) == HERE
    # What every machine can run stays in.
    assert classifiers_in(fresh_environment) == {"generic", BEST}
    found = loaded_here(fresh_environment)
    assert (found["classifier"], found["warnings"]) == (BEST, [])
    assert str(found["path"]).startswith(str(fresh_environment.site_packages / "ndkernels" / "classifiers" / BEST))
    assert served.page_types() == {served.page_type}


def test_the_preview_by_its_environment_variable(
    fresh_environment: Environment, served_html: IndexServer, uv_here: Uv
) -> None:
    words = ["--default-index", served_html.simple, "ndkernels"]
    uv_here.install(fresh_environment, *words, UV_PREVIEW_FEATURES="wheel-variants")
    assert installed_label(fresh_environment) == HERE


def test_extras_beside_a_variant(fresh_environment: Environment, served_html: IndexServer, uv_here: Uv) -> None:
    words = ["--default-index", served_html.simple]
    uv_here.install(fresh_environment, *words, "ndkernels", variants=True)
    uv_here.install(fresh_environment, *words, "ndkernels[all]", variants=True)
    # The same classifier is there twice, and the one inside of the package is loaded.
    found = loaded_here(fresh_environment)
    assert (found["classifier"], found["warnings"]) == (BEST, [])
    assert str(found["path"]).startswith(str(fresh_environment.site_packages / "ndkernels" / "classifiers"))


@pytest.mark.parametrize("level", LEVELS)
def test_the_variant_of_each_level(
    fresh_environment: Environment, served: IndexServer, uv_on: Callable[[str], Uv], level: str
) -> None:
    uv = uv_on(level)
    uv.install(fresh_environment, "--default-index", served.simple, "ndkernels", variants=True)
    label = VARIANT_OF.get(level, "null")
    assert installed_label(fresh_environment) == label
    # As that machine finds it: the loader believes the kernel as far as the CPU agrees.
    order = ["generic", "avx2", "avx512"]
    runs = label if label in order[: order.index(BEST) + 1] else "generic"
    found = loaded_here(fresh_environment, uv.machine)
    assert found["classifier"] == runs
    better = label == "avx512" and BEST == "avx2"
    assert [category for category, _ in found["warnings"]] == (["BetterVariantWarning"] if better else [])


def test_an_environment_that_was_made_for_a_better_machine(
    fresh_environment: Environment, served_html: IndexServer, uv_on: Callable[[str], Uv]
) -> None:
    """A copied environment, a shared file system, an image: what runs is loaded, and what does not is explained."""
    uv_on("x86-64-v4").install(fresh_environment, "--default-index", served_html.simple, "ndkernels", variants=True)
    weak = uv_on("x86-64-v2").machine
    found = loaded_here(fresh_environment, weak)
    assert (found["classifier"], found["warnings"]) == ("generic", [])
    assert found["rejected"]["avx512"].startswith("this machine lacks abm, avx, avx2, ")

    found = loaded_here(fresh_environment)
    if BEST == "avx512":
        assert (found["classifier"], found["warnings"]) == ("avx512", [])
    else:
        assert found["classifier"] == "generic"
        assert found["rejected"]["avx512"].startswith("this machine lacks avx512bw, ")
        ((category, message),) = found["warnings"]
        assert category == "BetterVariantWarning"
        assert f'uv pip install "ndkernels[{BEST}]"' in message


@pytest.mark.parametrize("variants", [False, True])
def test_for_another_platform_what_its_oldest_machines_run(
    fresh_environment: Environment, served: IndexServer, uv_here: Uv, variants: bool
) -> None:
    # For a platform that is named, uv assumes level v2, wherever it runs.
    uv_here.install(
        fresh_environment, "--default-index", served.simple, "--python-platform", "x86_64-manylinux_2_40", "ndkernels",
        variants=variants,
    )  # fmt: skip
    assert installed_label(fresh_environment) == ("null" if variants else None)
    assert classifiers_in(fresh_environment) == {"generic"}


def test_for_linux_as_such(
    fresh_environment: Environment, served_html: IndexServer, release: Release, uv_here: Uv
) -> None:
    # x86_64-unknown-linux-gnu means manylinux_2_28 to uv; wheels that were built on a newer system are not for it, and
    # uv then builds the sdist, for the machine that it runs on.
    words = ["--default-index", served_html.simple, "--python-platform", "x86_64-unknown-linux-gnu", "ndkernels"]
    result = uv_here.install(fresh_environment, "--only-binary", ":all:", *words, variants=True, check=False)
    oldest = min(map(int, re.findall(r"manylinux_2_(\d+)_", release.wheel("ndkernels").name)))
    if oldest <= 28:
        assert installed_label(fresh_environment) == "null"
    else:
        assert result.returncode == 1
        assert f"ndkernels=={release.version} has no usable wheels" in result.stderr


@pytest.mark.parametrize(("missing", "expected"), [("avx512", "avx2"), ("avx2", "avx512"), ("null", "avx512")])
def test_an_index_without_one_of_the_variants(
    fresh_environment: Environment, release: Release, uv_on: Callable[[str], Uv], serve: Callable[..., IndexServer],
    tmp_path: Path, missing: str, expected: str,
) -> None:  # fmt: skip
    server = serve(partial_index(release, tmp_path / "index", lambda name: not name.endswith(f"-{missing}.whl")))
    uv = uv_on("x86-64-v4")
    uv.install(fresh_environment, "--default-index", server.simple, "ndkernels", variants=True)
    assert installed_label(fresh_environment) == expected


def test_an_index_without_null_on_a_machine_that_nothing_else_is_for(
    fresh_environment: Environment, release: Release, uv_on: Callable[[str], Uv], serve: Callable[..., IndexServer],
    tmp_path: Path,
) -> None:  # fmt: skip
    server = serve(partial_index(release, tmp_path / "index", lambda name: not name.endswith("-null.whl")))
    uv_on("x86-64-v2").install(fresh_environment, "--default-index", server.simple, "ndkernels", variants=True)
    assert installed_label(fresh_environment) is None
    assert loaded_here(fresh_environment, uv_on("x86-64-v2").machine)["classifier"] == "generic"


def test_an_index_without_the_file_of_variants(
    fresh_environment: Environment, release: Release, uv_here: Uv, serve: Callable[..., IndexServer], tmp_path: Path
) -> None:
    # uv does not look into the wheels for it.
    server = serve(partial_index(release, tmp_path / "index", lambda name: not name.endswith(JSON)))
    uv_here.install(fresh_environment, "--default-index", server.simple, "ndkernels", variants=True)
    assert installed_label(fresh_environment) is None


@pytest.mark.parametrize("keep", [".whl", JSON])
def test_an_index_with_variants_only(
    fresh_environment: Environment, release: Release, uv_on: Callable[[str], Uv], serve: Callable[..., IndexServer],
    tmp_path: Path, keep: str,
) -> None:  # fmt: skip
    def kept(name: str) -> bool:
        return not plain(name) and not name.endswith(".tar.gz") and (keep == JSON or not name.endswith(JSON))

    server = serve(partial_index(release, tmp_path / "index", kept))
    words = ["--default-index", server.simple, "ndkernels"]
    uv = uv_on("x86-64-v3")
    result = uv.install(fresh_environment, *words, check=False)
    assert result.returncode == 1
    assert "only unsupported wheel variants" in result.stderr
    result = uv.install(fresh_environment, *words, variants=True, check=False)
    if keep == JSON:
        assert installed_label(fresh_environment) == "avx2"
    else:
        # The reason it gives is a wrong one where there are wheels for other Pythons as well: "no matching ABI tag".
        assert result.returncode == 1
        assert "No solution found" in result.stderr


@pytest.mark.parametrize(("variants", "expected"), [(False, None), (True, HERE)])
def test_from_a_folder_without_any_index(
    fresh_environment: Environment, release: Release, uv_here: Uv, variants: bool, expected: str | None
) -> None:
    words = ["--no-index", "--find-links", str(release.dist), "ndkernels"]
    uv_here.install(fresh_environment, *words, variants=variants)
    assert installed_label(fresh_environment) == expected


@pytest.mark.parametrize(("variants", "expected"), [(False, None), (True, HERE)])
def test_from_an_index_that_is_a_folder(
    fresh_environment: Environment, release: Release, uv_here: Uv, variants: bool, expected: str | None
) -> None:
    words = ["--default-index", (release.index / "simple").as_uri(), "ndkernels"]
    uv_here.install(fresh_environment, *words, variants=variants)
    assert installed_label(fresh_environment) == expected


def test_a_variant_by_its_path(fresh_environment: Environment, release: Release, uv_on: Callable[[str], Uv]) -> None:
    path = str(release.wheel("ndkernels", "avx2"))
    others = ["--no-index", "--find-links", str(release.dist)]
    uv = uv_on("x86-64-v3")
    result = uv.install(fresh_environment, *others, path, check=False)
    assert result.returncode == 1
    assert "requires `--preview-features wheel-variants`" in result.stderr
    # Asked for by its path, it is taken although it is not the best one.
    uv_on("x86-64-v4").install(fresh_environment, *others, path, variants=True)
    assert installed_label(fresh_environment) == "avx2"


def test_a_variant_by_its_path_on_a_lesser_machine(
    fresh_environment: Environment, release: Release, uv_on: Callable[[str], Uv]
) -> None:
    path = str(release.wheel("ndkernels", "avx2"))
    others = ["--no-index", "--find-links", str(release.dist)]
    result = uv_on("x86-64-v2").install(fresh_environment, *others, path, variants=True, check=False)
    assert result.returncode == 1
    assert "only unsupported wheel variants" in result.stderr


def test_a_variant_comes_in_place_of_a_plain_wheel_only_where_it_is_told(
    fresh_environment: Environment, served: IndexServer, uv_here: Uv
) -> None:
    # Another index has what ndkernels needs: ours comes before it.
    words = ["--index", served.simple, "ndkernels"]
    uv_here.install(fresh_environment, *words)
    assert installed_label(fresh_environment) is None
    result = uv_here.install(fresh_environment, *words, variants=True)
    assert "Checked 1 package" in result.stderr
    assert installed_label(fresh_environment) is None
    uv_here.install(fresh_environment, "--reinstall", *words, variants=True)
    assert installed_label(fresh_environment) == HERE
    assert loaded_here(fresh_environment)["classifier"] == BEST
    # And back; without the preview, uv keeps what is there as well.
    uv_here.install(fresh_environment, *words)
    assert installed_label(fresh_environment) == HERE
    uv_here.install(fresh_environment, "--reinstall-package", "ndkernels", *words)
    assert installed_label(fresh_environment) is None
    assert classifiers_in(fresh_environment) == {"generic"}


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_uninstalling_a_variant_leaves_nothing(
    fresh_environment: Environment, served_html: IndexServer, uv_here: Uv, installer: str
) -> None:
    uv_here.install(fresh_environment, "--default-index", served_html.simple, "ndkernels", variants=True)
    loaded_here(fresh_environment)
    if installer == "pip":
        fresh_environment.pip("uninstall", "--yes", "ndkernels", "variantkit")
    else:
        uv_here("pip", "uninstall", "--python", str(fresh_environment.python), "ndkernels", "variantkit")
    assert left_of_us(fresh_environment) == []


def test_pip_upgrades_a_variant_to_the_plain_wheel(
    fresh_environment: Environment, served_both: IndexServer, uv_here: Uv, next_release: Release
) -> None:
    uv_here.install(fresh_environment, "--default-index", served_both.simple, "ndkernels", variants=True)
    assert loaded_here(fresh_environment)["classifier"] == BEST
    fresh_environment.pip("install", "--index-url", served_both.simple, "--upgrade", "--pre", "ndkernels")
    assert installed_label(fresh_environment) is None
    # Nothing of the variant is left, and the loader says what is lost.
    assert classifiers_in(fresh_environment) == {"generic"}
    found = loaded_here(fresh_environment)
    assert (found["version"], found["classifier"]) == (next_release.version, "generic")
    assert [category for category, _ in found["warnings"]] == ["BetterVariantWarning"]


def test_uv_upgrades_a_variant_to_the_next_ones(
    fresh_environment: Environment, served_both: IndexServer, uv_here: Uv, release: Release, next_release: Release
) -> None:
    words = ["--default-index", served_both.simple]
    uv_here.install(fresh_environment, *words, "ndkernels", variants=True)
    assert loaded_here(fresh_environment)["version"] == release.version
    uv_here.install(
        fresh_environment, *words, "--prerelease", "allow", "--upgrade-package", "ndkernels", "ndkernels", variants=True
    )
    assert installed_label(fresh_environment) == HERE
    found = loaded_here(fresh_environment)
    assert (found["version"], found["classifier"], found["warnings"]) == (next_release.version, BEST, [])


def test_the_base_alone_in_another_version(
    fresh_environment: Environment, served_both: IndexServer, uv_here: Uv, release: Release, next_release: Release
) -> None:
    words = ["--default-index", served_both.simple]
    uv_here.install(fresh_environment, *words, "--prerelease", "allow", f"ndkernels[{BEST}]")
    # uv asks nothing about what else is installed, and says nothing.
    uv_here.install(fresh_environment, *words, f"ndkernels=={release.version}")
    checked = uv_here("pip", "check", "--python", str(fresh_environment.python), check=False)
    assert checked.returncode == 1
    assert f"ndkernels=={next_release.version}" in checked.stderr
    found = loaded_here(fresh_environment)
    assert (found["version"], found["classifier"]) == (release.version, "generic")
    assert [category for category, _ in found["warnings"]] == ["ClassifierFallbackWarning"]


@pytest.mark.parametrize("variants", [False, True])
def test_a_yanked_release(
    copies: Callable[[str], Environment],
    next_release: Release,
    serve: Callable[..., IndexServer],
    run_tool: Tool,
    uv_here: Uv,
    tmp_path: Path,
    variants: bool,
) -> None:
    index = shutil.copytree(next_release.index, tmp_path / "index", symlinks=True)
    yank = ["tools.index", "--out", index, "--reason", "it computes 5 for 2 + 2", "--yank", next_release.version]
    run_tool(*yank, "--project", "ndkernels")
    words = ["--default-index", serve(index).simple]
    passed_over, asked_for = copies("passed-over"), copies("asked-for")
    uv_here.install(passed_over, *words, "--prerelease", "allow", "ndkernels", variants=variants)
    assert loaded_here(passed_over)["version"] != next_release.version
    pinned = f"ndkernels[avx2]=={next_release.version}"
    # A pin is a pin; and where a pre-release is asked for by name, so are those that it requires.
    result = uv_here.install(asked_for, *words, "--prerelease", "allow", pinned, variants=variants)
    assert "it computes 5 for 2 + 2" in result.stderr
    assert loaded_here(asked_for)["version"] == next_release.version
    assert installed_label(asked_for) == (HERE if variants else None)

    # With all the projects of that version yanked, as without --project, uv refuses the pin: it takes a yanked file only
    # where that very project is pinned by the user, and not where a requirement of ours does.
    run_tool(*yank)
    refused = copies("refused")
    words += ["--refresh", "--prerelease", "allow"]  # uv keeps pages for ten minutes
    result = uv_here.install(refused, *words, pinned, variants=variants, check=False)
    assert result.returncode == 1
    assert f"{next_release.version} was yanked" in result.stderr


def test_resolution_reads_metadata_and_no_wheel(
    fresh_environment: Environment, served: IndexServer, tmp_path: Path
) -> None:
    uv = Uv(cache=tmp_path / "cache")
    words = ["--default-index", served.simple, "ndkernels"]
    uv.install(fresh_environment, "--dry-run", *words, variants=True)
    # What tells the variants apart, and the metadata of the plain wheel, before, and of the variant that was chosen.
    read = sorted(name.removesuffix(".whl.metadata").partition("_x86_64")[2] for name in served.files(".metadata"))
    assert read == ["", "", f"-{HERE}"], served.files(".metadata")
    assert len(served.files(JSON)) == 1
    assert served.files(".whl") == []
    uv.install(fresh_environment, *words, variants=True)
    assert sorted(name.split("-")[0] for name in served.files(".whl")) == ["ndkernels", "variantkit"]
    assert [name for name in served.files(".whl") if name.endswith(f"-{HERE}.whl")]
