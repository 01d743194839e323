"""Rules on kernel libraries, sizes, platforms, lists of parts and licences."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tiny_wheels
from check_release import PLATFORM, Release, entry, messages, rewrite, rules, write
from variantkit import generate
from variantkit.check import check
from variantkit.check.library_rules import over_budget
from variantkit.index import Repository
from variantkit.wheel import WheelName, find_wheels


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Size: 18", "Size: 19", "saxpy_fast_v2/MANIFEST has the Size 19, and it is 18"),
        ("Version: 1.2.3", "Version: 1.2.2", "has the Version 1.2.2, and it is 1.2.3"),
        ("SHA256: ", "SHA256: 0", "has the SHA256 0"),
        ("Size: 18", "", "has the Size None, and it is 18"),
        ("Library: lib", "Library: gone", "names the library gonesaxpy_fast_v2.so, which is not beside it"),
        ("Distribution: saxpy", "Distribution: other", "is of the distribution other"),
    ],
)
def test_a_manifest_that_is_not_true(release: Release, old: str, new: str, message: str) -> None:
    def change(files: dict[str, bytes]) -> None:
        name = entry(files, "/MANIFEST")
        assert old.encode() in files[name]
        files[name] = files[name].replace(old.encode(), new.encode(), 1)

    rewrite(release.classifier, change)
    assert message in messages(release.check(), "VK401")


def test_a_file_of_that_name_that_is_something_else(release: Release) -> None:
    rewrite(release.dist / "helper-0.5-py3-none-any.whl", lambda files: files.update({"helper/MANIFEST": b"include *"}))
    assert release.check()


def test_a_wheel_that_was_built_from_another_matrix(release: Release) -> None:
    path = release.root / "classifiers.toml"
    text = path.read_text()
    assert '"-O3", "-march=x86-64-v2"' in text
    path.write_text(text.replace('"-O3", "-march=x86-64-v2"', '"-O2", "-march=x86-64-v2"'))
    result = release.check()
    assert rules(result) == {"VK402"}
    assert {finding.file for finding in result.findings} == {
        release.classifier,
        release.variant,
        release.path("saxpy", label="fast_v2", tag="cp312"),
    }
    assert "the row 'fast-v2' has changed since. Build it again." in messages(result, "VK402")


def test_a_wheel_without_its_library(release: Release) -> None:
    def change(files: dict[str, bytes]) -> None:
        for name in [name for name in files if "/classifiers/" in name]:
            del files[name]

    rewrite(release.base, change)
    assert "it holds no library of sse2, with a MANIFEST beside it" in messages(release.check(), "VK402")


def test_a_catalogue_that_has_drifted(release: Release) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["saxpy/_catalogue.py"] = files["saxpy/_catalogue.py"].replace(b"rank=1", b"rank=7")

    rewrite(release.base, change)
    result = release.check()
    assert "saxpy/_catalogue.py is not what classifiers.toml makes it" in messages(result, "VK403")
    rewrite(release.base, lambda files: files.pop("saxpy/_catalogue.py"))
    assert "it has no catalogue _catalogue.py" in messages(release.check(), "VK403")


def test_the_catalogue_is_held_against_the_version_of_the_wheels(release: Release) -> None:
    """Also when the version of the project has been raised since, the wheels of before are right."""
    path = release.root / "pyproject.toml"
    path.write_text(path.read_text().replace("1.2.3", "1.2.4"))
    generate.write(release.root)
    assert release.check()


@pytest.mark.parametrize(
    ("budgets", "found"),
    [
        ({"sse2": 1}, {"", "null"}),
        ({"sse2": 1, "fast-v2": 1}, {"", "null", "fast_v2"}),
        ({"fast-v2": 1}, set()),
    ],
)
def test_size_budgets(release: Release, budgets: dict[str, int], found: set[str]) -> None:
    path = release.root / "classifiers.toml"
    rows = path.read_text().split("[[classifier]]")
    for name, budget in budgets.items():
        rows = [
            row.replace("size-budget-kib = 64", f"size-budget-kib = {budget}") if f'name = "{name}"' in row else row
            for row in rows
        ]
    path.write_text("[[classifier]]".join(rows))
    for tag in ("cp311", "cp312"):
        for label in ("", "null", "fast_v2", "avx2"):
            # The base wheel is made larger than 1 KiB and the variant than 2.
            wheel = release.path("saxpy", label=label, tag=tag)
            assert 2 * 1024 < wheel.stat().st_size < 20 * 1024
    wheels = {wheel.path: wheel.name for wheel in find_wheels([release.dist])}
    result = release.check(select=("VK404",))
    assert {wheels[each.file].label for each in result.findings if wheels[each.file].project == "saxpy"} == found
    if budgets == {"sse2": 1}:
        assert "KiB, and the budget of sse2 is 1 KiB. Make it smaller" in messages(result, "VK404")


def test_a_platform_that_cannot_be_published(release: Release) -> None:
    def change(files: dict[str, bytes]) -> None:
        name = entry(files, ".dist-info/WHEEL")
        files[name] = files[name].replace(PLATFORM.encode(), b"linux_x86_64")

    rewrite(release.classifier, change, release.classifier.name.replace(PLATFORM, "linux_x86_64"))
    result = release.check()
    assert rules(result) == {"VK405"}
    assert [finding.level for finding in result.findings] == ["warning"]
    assert "its platform linux_x86_64 was not repaired. Repair it with" in messages(result, "VK405")
    index = release.dist.parent / "index"
    Repository(index).publish([release.dist], matrix=release.matrix)
    result = release.check(index)
    assert [(finding.rule, finding.level) for finding in result.findings] == [("VK405", "error")]


def test_machine_code_for_any_platform(release: Release) -> None:
    rewrite(release.dist / "helper-0.5-py3-none-any.whl", lambda files: files.update({"helper/lib.so": b"code"}))
    result = release.check()
    assert "it is for any platform, and helper/lib.so is machine code. Build it" in messages(result, "VK405")
    assert not result


def change_sbom(release: Release, change: Any) -> None:
    def rewritten(files: dict[str, bytes]) -> None:
        name = entry(files, ".cdx.json")
        document = json.loads(files[name])
        change(document)
        files[name] = json.dumps(document).encode()

    rewrite(release.classifier, rewritten)


def test_no_list_of_parts(release: Release) -> None:
    rewrite(release.classifier, lambda files: files.pop(entry(files, ".cdx.json")))
    result = release.check()
    assert "it has machine code, saxpy_fast_v2/libsaxpy_fast_v2.so, and no saxpy_fast_v2-1.2.3" in messages(
        result, "VK501"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda each: each.pop("bomFormat"), "is not a CycloneDX list"),
        (lambda each: each.pop("specVersion"), "does not say the version of CycloneDX"),
        (lambda each: each.update(components=[{}]), "has components without a name or a type"),
        (lambda each: each.update(components={}), "has components without a name or a type"),
        (lambda each: each.update(components=[]), "has saxpy_fast_v2/libsaxpy_fast_v2.so"),
        (lambda each: each["components"][0]["hashes"][0].update(content="0"), "has another hash of saxpy_fast_v2/lib"),
        (lambda each: each["components"][0].update(name="gone.so", hashes=[{"alg": "SHA-256", "content": "0"}]),
         "lists gone.so, and no file of the wheel has that hash"),
        (lambda each: each["components"][0].update(hashes=None), "has saxpy_fast_v2/libsaxpy_fast_v2.so"),
    ],
)  # fmt: skip
def test_a_list_of_parts_that_is_wrong(release: Release, change: Any, message: str) -> None:
    change_sbom(release, change)
    assert message in messages(release.check(), "VK501")


def test_a_list_of_parts_that_is_not_json(release: Release) -> None:
    rewrite(release.classifier, lambda files: files.update({entry(files, ".cdx.json"): b"{"}))
    assert "is not JSON" in messages(release.check(), "VK501")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"License-Expression: 0BSD\n", b"", "METADATA has no License-Expression"),
        (b"License-File: LICENSE\n", b"", "METADATA has no License-File"),
        (
            b"License-File: LICENSE\n",
            b"License-File: COPYING\n",
            "the License-File COPYING, and it is not in the wheel",
        ),
    ],
)
def test_a_wheel_without_a_licence(release: Release, old: bytes, new: bytes, message: str) -> None:
    def change(files: dict[str, bytes]) -> None:
        name = entry(files, ".dist-info/METADATA")
        files[name] = files[name].replace(old, new)

    rewrite(release.classifier, change)
    result = release.check()
    assert rules(result) == {"VK502"}
    assert message in messages(result, "VK502")


def test_a_wheel_of_nobody_we_know(tmp_path: Any) -> None:
    name = WheelName(distribution="other", version="1.0", python="py3", abi="none", platform="any")
    write(tmp_path, name, {"other/__init__.py": b""}, [])
    assert check([tmp_path], matrix=None, ignore=["VK6"]).findings == ()


def test_the_budget_of_a_wheel_is_that_of_all_its_rows() -> None:
    rows = [tiny_wheels.row("one", 0), tiny_wheels.row("two", 1)]  # of 64 KiB each
    assert over_budget(128 * 1024, rows) == ""
    assert over_budget(128 * 1024 + 1, rows) == "it has 129 KiB, and the budget of one and two is 128 KiB"
