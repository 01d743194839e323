"""Releases as they should not be: what installers make of them, and that this project's commands do not let them out."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from environments import Environment
from machines import Uv, installed_label
from releases import Release, Tool, partial_index


def this_python(release: Release, target: Path, *labels: str) -> Path:
    """Copy the wheels of a release that are for this Python, and the file of variants; of the variants, these only."""
    target.mkdir(exist_ok=True)
    chosen = [release.wheel("ndkernels"), release.wheel("variantkit"), *release.dist.glob("*-variants.json")]
    for path in [*chosen, *(release.wheel("ndkernels", label) for label in labels)]:
        shutil.copy2(path, target)
    return target


def rewrite(
    path: Path, *, variant: Callable[[dict[str, Any]], object] | None = None, requires: str | None = None
) -> None:
    """Change the variant.json of a wheel, or add a requirement; it is a sound wheel afterwards."""
    from variantkit.wheel import Entry, Wheel, write_wheel

    wheel = Wheel(path)
    entries = dict(wheel.entries)
    if variant is not None:
        document = wheel.variant_json
        assert document is not None
        variant(document)
        entries[f"{wheel.dist_info}/variant.json"] = Entry(data=json.dumps(document, indent=2).encode())
    if requires is not None:
        head, blank, body = wheel.metadata_bytes.partition(b"\n\n")
        data = head + f"\nRequires-Dist: {requires}".encode() + blank + body
        entries[f"{wheel.dist_info}/METADATA"] = dataclasses.replace(entries[f"{wheel.dist_info}/METADATA"], data=data)
    write_wheel(path, entries, wheel.dist_info, wheel.time)


def change_table(dist: Path, change: Callable[[dict[str, Any]], object]) -> None:
    (path,) = dist.glob("*-variants.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.unlink()
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def uv_takes(uv: Uv, environment: Environment, *folders: Path, words: tuple[str, ...] = (), check: bool = True) -> str:
    """Install from folders with the preview, and return what uv said."""
    places = [f"--find-links={folder}" for folder in folders]
    return uv.install(environment, "--no-index", *places, *words, "ndkernels", variants=True, check=check).stderr


def version(environment: Environment) -> str:
    (info,) = environment.site_packages.glob("ndkernels-*.dist-info")
    return info.name.removesuffix(".dist-info").partition("-")[2]


def refused(run_tool: Tool, *paths: Path, rule: str) -> None:
    """`tools.check` finds the fault, under its rule."""
    result = run_tool("tools.check", *paths, check=False)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{rule} error" in result.stdout, result.stdout


def test_the_release_itself_is_clean(release: Release, next_release: Release, run_tool: Tool) -> None:
    run_tool("tools.check", release.dist)
    run_tool("tools.check", release.index)
    run_tool("tools.check", next_release.index)


def test_a_table_that_promises_less_than_the_wheel_asks_for(
    copies: Callable[[str], Environment], release: Release, uv_on: Callable[[str], Uv], run_tool: Tool, tmp_path: Path
) -> None:
    dist = this_python(release, tmp_path / "dist", "avx2", "null")
    change_table(dist, lambda table: table["variants"]["avx2"]["x86_64"].update(level=["v1"]))
    fits, fits_not = copies("fits"), copies("fits-not")
    # uv compares the two only with the machine.
    uv_takes(uv_on("x86-64-v3"), fits, dist)
    assert installed_label(fits) == "avx2"
    said = uv_takes(uv_on("x86-64-v2"), fits_not, dist, check=False)
    assert "Wheel variant `avx2` requires unsupported properties: `x86_64 :: level :: v3`" in said
    refused(run_tool, dist, rule="VK105")


def test_a_wheel_that_asks_for_more_than_the_table_promises(
    fresh_environment: Environment, release: Release, uv_on: Callable[[str], Uv], run_tool: Tool, tmp_path: Path
) -> None:
    dist = this_python(release, tmp_path / "dist", "avx2", "null")
    (wheel,) = dist.glob("*-avx2.whl")
    rewrite(wheel, variant=lambda own: own["variants"]["avx2"]["x86_64"].update(level=["v9"]))
    # It is chosen by the table, and refused when it is there; uv does not go back and take another one.
    said = uv_takes(uv_on("x86-64-v3"), fresh_environment, dist, check=False)
    assert "Wheel variant `avx2` requires unsupported properties: `x86_64 :: level :: v9`" in said
    refused(run_tool, dist, rule="VK107")


def test_a_key_that_the_format_does_not_have(
    copies: Callable[[str], Environment], release: Release, next_release: Release, uv_on: Callable[[str], Uv],
    run_tool: Tool, tmp_path: Path,
) -> None:  # fmt: skip
    dist = this_python(next_release, tmp_path / "next", "avx2", "null")
    change_table(dist, lambda table: table.update(comment="a word to whom it may concern"))
    alone, beside = copies("alone"), copies("beside")
    said = uv_takes(uv_on("x86-64-v3"), alone, dist, words=("--prerelease", "allow"), check=False)
    assert "has invalid metadata" in said
    # With an older release at hand, that one is taken, and nothing is said; the plain wheel of the newer one is there.
    older = this_python(release, tmp_path / "older", "avx2", "null")
    said = uv_takes(uv_on("x86-64-v3"), beside, dist, older, words=("--prerelease", "allow"))
    assert f"ndkernels=={release.version}" in said
    assert "invalid" not in said
    refused(run_tool, dist, rule="VK102")
    (wheel,) = dist.glob("*-avx2.whl")
    rewrite(wheel, variant=lambda own: own.update(comment="a word to whom it may concern"))
    result = run_tool("tools.index", dist, "--out", tmp_path / "index", check=False)
    assert result.returncode != 0
    assert "unknown key 'comment'" in result.stderr
    assert not (tmp_path / "index" / "simple").exists()


def test_the_table_of_an_index_is_derived_from_the_wheels(release: Release, run_tool: Tool, tmp_path: Path) -> None:
    dist = this_python(release, tmp_path / "dist", "avx2", "null")
    change_table(dist, lambda table: table["variants"]["avx2"]["x86_64"].update(level=["v1"]))
    run_tool("tools.index", dist, "--out", tmp_path / "index")
    (published,) = (tmp_path / "index").glob("files/*/*/*-variants.json")
    variants = json.loads(published.read_text(encoding="utf-8"))["variants"]
    assert variants == {"avx2": {"x86_64": {"level": ["v3"]}}, "null": {}}


def test_a_newer_release_that_has_nothing_for_this_machine(
    fresh_environment: Environment, release: Release, next_release: Release, uv_on: Callable[[str], Uv],
    run_tool: Tool, tmp_path: Path,
) -> None:  # fmt: skip
    newer = this_python(next_release, tmp_path / "newer", "avx512")
    (plain,) = newer.glob("ndkernels-*_x86_64.whl")
    plain.unlink()
    older = this_python(release, tmp_path / "older", "avx2", "null")
    # Not a word about the release that was passed over.
    said = uv_takes(uv_on("x86-64-v3"), fresh_environment, newer, older, words=("--prerelease", "allow"))
    assert f"ndkernels=={release.version}" in said
    assert next_release.version not in said.replace(f"variantkit=={next_release.version}", "")
    assert installed_label(fresh_environment) == "avx2"
    refused(run_tool, newer, rule="VK301")


@pytest.mark.parametrize("label", ["", "avx2"])
def test_a_requirement_with_a_marker_about_the_variant(
    copies: Callable[[str], Environment], release: Release, next_release: Release, uv_on: Callable[[str], Uv],
    run_tool: Tool, tmp_path: Path, label: str,
) -> None:  # fmt: skip
    newer = this_python(next_release, tmp_path / "newer", "avx2", "null")
    wheel = next(
        path for path in newer.glob("ndkernels-*.whl") if path.name == next_release.wheel("ndkernels", label).name
    )
    rewrite(wheel, requires='numpy; variant_label == "avx2"')
    older = this_python(release, tmp_path / "older", "avx2", "null")
    of_uv, of_pip = copies("uv"), copies("pip")
    # Neither reads such a marker. The wheel is gone for uv where it is the variant, for pip where it is the plain one,
    # and the whole release with it.
    uv_takes(uv_on("x86-64-v3"), of_uv, newer, older, words=("--prerelease", "allow"))
    assert installed_label(of_uv) == "avx2"
    assert version(of_uv) == (release.version if label else next_release.version)
    places = [f"--find-links={folder}" for folder in (newer, older)]
    result = of_pip.pip("install", "--no-index", "--pre", *places, "ndkernels")
    assert version(of_pip) == (next_release.version if label else release.version)
    ignored = f"Ignoring version {next_release.version} of ndkernels since it has invalid metadata"
    assert (ignored in result.stderr) == (not label)
    refused(run_tool, newer, rule="VK205")


def of_this_part(name: str, part: str) -> bool:
    return part in name and (name.startswith("ndkernels-") or "_x86_64" not in part)


@pytest.mark.parametrize(
    ("part", "rule"),
    [("ndkernels_avx2-", "VK303"), ("_x86_64.whl", "VK301"), ("-avx2.whl", "VK302"), ("-null.whl", "VK105")],
)
def test_a_release_without_a_part_is_refused(
    release: Release, run_tool: Tool, tmp_path: Path, part: str, rule: str
) -> None:
    dist = shutil.copytree(release.dist, tmp_path / "dist")
    gone = [path for path in dist.iterdir() if of_this_part(path.name, part)]
    assert gone
    for path in gone:
        path.unlink()
    refused(run_tool, dist, rule=rule)


@pytest.mark.parametrize(
    "part",
    ["ndkernels_avx2-", "_x86_64.whl", "-avx2.whl", "-null.whl", "-variants.json", ".metadata", "variantkit-"],
)
def test_an_index_without_a_file_that_it_lists_is_refused(
    release: Release, run_tool: Tool, tmp_path: Path, part: str
) -> None:
    index = shutil.copytree(release.index, tmp_path / "index", symlinks=True)
    gone = next(path for path in sorted(index.glob("files/*/*/*")) if of_this_part(path.name, part))
    gone.unlink()
    refused(run_tool, index, rule="VK703" if part == ".metadata" else "VK702")


@pytest.mark.parametrize(
    ("part", "rule"),
    [("_x86_64.whl", "VK301"), ("-avx2.whl", "VK302"), ("-null.whl", "VK105"), ("-variants.json", "VK105")],
)
def test_an_index_that_lists_only_a_part_is_refused(
    release: Release, run_tool: Tool, tmp_path: Path, part: str, rule: str
) -> None:
    index = partial_index(release, tmp_path / "index", lambda name: not name.endswith(part))
    refused(run_tool, index, rule=rule)
