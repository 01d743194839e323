"""Rules on labels and what they stand for: a release broken in one way has the finding for that way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from check_release import Release, entry, messages, rewrite, rules
from variantkit.wheel import find_wheels

if TYPE_CHECKING:
    from collections.abc import Callable


def change_variant(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the variant.json of a wheel."""

    def rewritten(files: dict[str, bytes]) -> None:
        name = entry(files, "/variant.json")
        document = json.loads(files[name])
        change(document)
        files[name] = json.dumps(document).encode()

    rewrite(path, rewritten)


def change_all(release: Release, change: Callable[[dict[str, Any]], object]) -> None:
    """Change each variant.json and the -variants.json in the same way."""
    for wheel in find_wheels([release.dist]):
        if wheel.name.label:
            change_variant(wheel.path, change)
    document = json.loads(release.table.read_text())
    change(document)
    release.table.write_text(json.dumps(document))


def test_a_label_without_variant_json(release: Release) -> None:
    rewrite(release.variant, lambda files: files.pop(entry(files, "/variant.json")))
    result = release.check()
    assert "VK101" in rules(result)
    assert "its name has the label fast_v2, and there is no variant.json in it. Assemble" in messages(result, "VK101")


def test_a_variant_json_without_a_label(release: Release) -> None:
    name = release.base.name
    release.base.unlink()
    rewrite(release.variant, lambda files: None, name)
    result = release.check()
    assert "it has a variant.json, and its name has no label" in messages(result, "VK101")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda each: each.update(extra=1), "it has the unknown key 'extra'"),
        (lambda each: each.pop("$schema"), "its $schema is not a string"),
        (lambda each: each.update({"$schema": "https://example.org/v9.json"}), "is not known"),
        (lambda each: each["variants"]["fast_v2"].update(other={"a": ["b"]}), "default-priorities does not name"),
        (lambda each: each["variants"]["fast_v2"]["x86_64"].update(level=["v2", "v1"]), "which must be sorted"),
        (lambda each: each["variants"]["fast_v2"]["x86_64"].update(level=[]), "at least one"),
        (lambda each: each["variants"].update(wrong={"x86_64": {"level": ["v4"]}}), "and the wheel's label is fast_v2"),
        (
            lambda each: each["providers"]["x86_64"].update(requires=["x86-64-variant-provider"]),
            "is not the one that uv",
        ),
        (lambda each: each["providers"].update(nvidia={"requires": ["a"]}), "do not have the same namespaces"),
        (lambda each: each.pop("providers"), "the presence of 'providers' contradict"),
        (lambda each: each["variants"].update(fast_v2=[]), "the properties of fast_v2 are not"),
        (
            lambda each: each["variants"].update(fast_v2={"x86_64": {"level": "v2"}}),
            "the properties of fast_v2 are not",
        ),
        (lambda each: each.update(variants=None), "it has no variants"),
        (lambda each: each.update({"default-priorities": []}), "no list of namespaces"),
    ],
)
def test_metadata_that_installers_do_not_take(release: Release, change: Any, message: str) -> None:
    change_variant(release.variant, change)
    result = release.check()
    assert message in messages(result, "VK102")
    assert {finding.file for finding in result.findings if finding.rule == "VK102"} == {release.variant}


def test_the_same_is_said_of_a_variants_file(release: Release) -> None:
    release.table.write_text("{")
    result = release.check()
    assert rules(result) == {"VK102"}
    assert f"{release.table.name}: it is not JSON" in messages(result, "VK102")


def test_a_label_with_two_meanings(release: Release) -> None:
    change_variant(release.variant, lambda each: each["variants"]["fast_v2"]["x86_64"].update(level=["v1"]))
    result = release.check()
    assert "the label fast_v2 stands for" in messages(result, "VK103")
    assert "in another wheel. Assemble all wheels" in messages(result, "VK103")
    assert rules(result) == {"VK103", "VK107"}


def test_two_labels_with_one_meaning(release: Release) -> None:
    def change(document: dict[str, Any]) -> None:
        if "avx2" in document["variants"]:
            document["variants"]["avx2"] = {"x86_64": {"level": ["v2"]}}

    change_all(release, change)
    result = release.check(matrix=None)
    assert 'the labels avx2 and fast_v2 both stand for {"x86_64": {"level": ["v2"]}}' in messages(result, "VK103")


def test_wheels_with_different_priorities(release: Release) -> None:
    def more(document: dict[str, Any]) -> None:
        document["default-priorities"]["namespace"].append("choice")
        document["providers"]["choice"] = {"static-properties": {"library": ["one"]}}

    change_variant(release.variant, more)
    result = release.check()
    assert "differ in more than the label" in messages(result, "VK104")

    def other(document: dict[str, Any]) -> None:
        document["default-priorities"]["namespace"].reverse()

    change_variant(release.variant, other)
    assert "order the namespaces differently" in messages(release.check(), "VK104")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda each: each["variants"].pop("fast_v2"), "it does not have the label fast_v2 of saxpy-1.2.3-cp311"),
        (
            lambda each: each["variants"].update(gone={"x86_64": {"level": ["v4"]}}),
            "it has the label gone, and no wheel",
        ),
        (
            lambda each: each["variants"].update(fast_v2={"x86_64": {"level": ["v1"]}}),
            "something else of the label fast_v2",
        ),
        (lambda each: each.update({"$schema": each["$schema"] + "x"}), "its $schema is not that of the wheels"),
    ],
)
def test_a_variants_file_that_says_something_else(release: Release, change: Any, message: str) -> None:
    document = json.loads(release.table.read_text())
    change(document)
    release.table.write_text(json.dumps(document))
    result = release.check()
    assert message in messages(result, "VK105")
    assert {finding.file for finding in result.findings} == {release.table}


def test_a_folder_needs_no_variants_file(release: Release) -> None:
    release.table.unlink()
    assert release.check()


def test_a_variants_file_of_wheels_that_are_not_there(release: Release) -> None:
    result = release.check(release.table, matrix=None)
    assert "it has the label avx2, and no wheel has" in messages(result, "VK105")


def test_installers_rank_as_the_matrix_does(release: Release) -> None:
    path = release.root / "classifiers.toml"
    path.write_text(path.read_text().replace("rank = 1", "rank = 3"))
    result = release.check()
    assert "installers prefer avx2, fast_v2, null, in this order" in messages(result, "VK106")
    assert "classifiers.toml has fast_v2, avx2, null" in messages(result, "VK106")


def test_a_label_that_no_row_has(release: Release) -> None:
    path = release.root / "classifiers.toml"
    path.write_text(path.read_text().replace('name = "fast-v2"', 'name = "faster-v2"'))
    assert "no row of classifiers.toml has the label fast_v2" in messages(release.check(), "VK107")


def test_a_label_that_stands_for_something_else_than_its_row(release: Release) -> None:
    def change(document: dict[str, Any]) -> None:
        if "fast_v2" in document["variants"]:
            document["variants"]["fast_v2"] = {"x86_64": {"level": ["v1"]}}

    change_all(release, change)
    result = release.check()
    assert rules(result) == {"VK107"}
    assert "the label fast_v2 stands for other properties than in classifiers.toml" in messages(result, "VK107")
