"""Rules on a published index: what its pages say of the files."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from check_release import PLATFORM, Release, messages, rewrite, rules, write
from variantkit.check import check
from variantkit.index import Repository
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def index(release: Release, tmp_path: Path) -> Path:
    """The release, published."""
    folder = tmp_path / "index"
    Repository(folder).publish([release.dist], matrix=release.matrix)
    return folder


def page(index: Path, name: str = "saxpy", kind: str = "json") -> Path:
    return index / "simple" / name / f"index.{kind}"


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a page, in place: what another publication shares with it is not written to."""
    document = json.loads(path.read_text())
    change(document)
    replace(path, json.dumps(document))


def replace(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def listed(document: dict[str, Any], end: str) -> dict[str, Any]:
    (found,) = [each for each in document["files"] if each["filename"].endswith(end)]
    return found  # type: ignore[no-any-return]


def place(index: Path, end: str) -> Path:
    """Return a file of the index."""
    (found,) = [path for path in index.glob("files/*/*/*") if path.name.endswith(end)]
    return found


def test_a_right_index_has_no_findings(release: Release, index: Path) -> None:
    result = release.check(index)
    assert result.findings == ()
    assert result
    assert result.files == 13
    assert {f"VK70{digit}" for digit in range(1, 8)} <= set(result.rules)
    assert "VK304" not in result.rules  # an index may have several versions


def test_it_is_found_without_a_matrix_and_beside_a_folder(release: Release, index: Path) -> None:
    assert release.check(index, matrix=None).findings == ()
    result = release.check(index, release.dist)
    assert result.findings == ()
    assert result.files == 26


def test_several_releases_and_yanked_ones_are_right(release: Release, index: Path, tmp_path: Path) -> None:
    for version in ("0.9", "1.0"):
        base = WheelName(distribution="saxpy", version=version, python="py3", abi="none", platform=PLATFORM)
        name = WheelName(distribution="saxpy_fast_v2", version=version, python="py3", abi="none", platform=PLATFORM)
        extra = f"Requires-Dist: saxpy-fast-v2=={version}; sys_platform == 'linux' and extra == 'fast-v2'"
        write(tmp_path / "old", base, {"saxpy/__init__.py": b""}, ["Provides-Extra: fast-v2", extra])
        write(tmp_path / "old", name, {"saxpy_fast_v2/__init__.py": b""}, [f"Requires-Dist: saxpy=={version}"])
    Repository(index).publish([tmp_path / "old"])
    Repository(index).yank("0.9", "broken")
    Repository(index).yank("1.0", "")
    result = release.check(index)
    assert result.findings == ()
    assert result.files == 17


def test_files_of_an_earlier_generation_are_right(release: Release, index: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["helper/__init__.py"] = b"HELP = False\n"

    rewrite(release.dist / "helper-0.5-py3-none-any.whl", change)
    Repository(index).publish([release.dist], replace=True)
    assert len(list(index.glob("files/*/*/helper-0.5-py3-none-any.whl"))) == 2
    assert release.check(index).findings == ()


def test_an_index_with_only_part_of_the_files_is_refused(release: Release, tmp_path: Path) -> None:
    release.classifier.unlink()
    Repository(tmp_path / "part").publish([release.dist])
    assert rules(release.check(tmp_path / "part")) == {"VK303", "VK305"}


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("json", "{", "it is not JSON"),
        ("json", "[]", "it is not a JSON object"),
        (
            "json",
            '{"meta": {"api-version": "2.0"}, "name": "saxpy", "files": [], "versions": []}',
            "is 2.0, and installers",
        ),
        (
            "json",
            '{"meta": {"api-version": "1.1"}, "name": "other", "files": [], "versions": []}',
            "is the page of other",
        ),
        ("json", '{"meta": {"api-version": "1.1"}, "name": "saxpy"}', "it has no list of files"),
        ("json", '{"meta": {"api-version": "1.1"}, "name": "saxpy", "files": [{}]}', "its file 1 is not as PEP 691"),
        ("json", None, "it is not there"),
        ("html", None, "it is not there"),
    ],
)
def test_a_page_that_cannot_be_read(release: Release, index: Path, kind: str, text: str | None, message: str) -> None:
    path = page(index, kind=kind)
    if text is None:
        path.unlink()
    else:
        replace(path, text)
    result = release.check(index)
    assert f"{path.name}: {message}" in messages(result, "VK701") or message in messages(result, "VK701")


def test_a_page_that_is_not_text(release: Release, index: Path) -> None:
    path = page(index, kind="html")
    path.unlink()
    path.write_bytes(b"\xff\xfe")
    assert "it cannot be read" in messages(release.check(index), "VK701")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("filename", 1), ("url", None), ("hashes", []), ("hashes", {"sha256": 1}), ("yanked", 3), ("core-metadata", 1),
        ("dist-info-metadata", {"sha256": "0"}), ("requires-python", 3), ("size", "large"), ("provenance", []),
    ],
)  # fmt: skip
def test_a_file_that_is_listed_in_another_shape(release: Release, index: Path, key: str, value: object) -> None:
    change_json(page(index), lambda each: each["files"][0].update({key: value}))
    assert "its file 1 is not as PEP 691 has it" in messages(release.check(index), "VK701")


def test_a_project_that_the_root_does_not_list(release: Release, index: Path) -> None:
    root = index / "simple" / "index.json"
    change_json(root, lambda each: each["projects"].pop())
    assert "it does not list saxpy-fast-v2, which has a page" in messages(release.check(index), "VK701")
    change_json(root, lambda each: each["projects"].append({"name": "gone"}))
    assert "it lists gone, which has no page" in messages(release.check(index), "VK701")
    change_json(root, lambda each: each["projects"].append({}))
    assert "it has a project without a name" in messages(release.check(index), "VK701")
    replace(index / "simple" / "index.html", "<html><a href='saxpy/'>saxpy</a></html>")
    assert "index.html: it does not list helper" in messages(release.check(index), "VK701")


def test_a_page_under_a_name_that_nobody_asks_for(release: Release, index: Path) -> None:
    shutil.copytree(index / "simple" / "helper", index / "simple" / "Helper_")
    assert "installers ask for names in lower case with - only" in messages(release.check(index), "VK701")


def test_a_listed_file_that_is_not_there(release: Release, index: Path) -> None:
    place(index, "helper-0.5-py3-none-any.whl").unlink()
    result = release.check(index)
    assert rules(result) == {"VK702"}
    assert "helper-0.5-py3-none-any.whl is not there, at ../../files/" in messages(result, "VK702")


def test_a_listed_file_with_another_content(release: Release, index: Path) -> None:
    path = place(index, "helper-0.5-py3-none-any.whl")
    rewrite(path, lambda files: files.update({"helper/more.py": b""}))
    result = release.check(index)
    assert "it has the SHA-256 " in messages(result, "VK702")
    assert "bytes, and its page says" in messages(result, "VK702")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda each: each.update(url="https://example.org/helper-0.5-py3-none-any.whl"), "leads out of the index"),
        (lambda each: each.update(url="../../../dist/helper-0.5-py3-none-any.whl"), "leads out of the index"),
        (lambda each: each.update(url="/files/helper-0.5-py3-none-any.whl"), "leads out of the index"),
        (lambda each: each.update(hashes={}), "has no SHA-256 there"),
        (
            lambda each: each.update(filename="helper-0.5-1-py3-none-any.whl"),
            "is called helper-0.5-py3-none-any.whl at",
        ),
    ],
)
def test_an_address_that_is_wrong(release: Release, index: Path, change: Any, message: str) -> None:
    change_json(page(index, "helper"), lambda each: change(each["files"][0]))
    assert message in messages(release.check(index), "VK702")


def test_metadata_beside_a_wheel(release: Release, index: Path) -> None:
    path = place(index, "helper-0.5-py3-none-any.whl.metadata")
    path.write_bytes(path.read_bytes() + b"\n")
    result = release.check(index)
    assert rules(result) == {"VK703"}
    assert "the .metadata beside it is not the METADATA in it" in messages(result, "VK703")
    assert "its page has another hash of the .metadata beside it" in messages(result, "VK703")
    path.unlink()
    assert "there is no .metadata beside it" in messages(release.check(index), "VK703")


def test_a_page_without_metadata_or_with_another_hash(release: Release, index: Path) -> None:
    change_json(
        page(index, "helper"), lambda each: [each["files"][0].pop(f"{key}-metadata") for key in ("core", "dist-info")]
    )
    result = release.check(index)
    assert "its page has another hash of the .metadata beside it, or none" in messages(result, "VK703")


def test_another_requires_python(release: Release, index: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["files"][0]["requires-python"] = ">=3.9"

    change_json(page(index, "helper"), change)
    result = release.check(index)
    assert "it requires Python >=3.10, and its page says >=3.9" in messages(result, "VK704")
    assert "has another requires-python than on the JSON page" in messages(result, "VK705")


def test_a_requires_python_that_only_looks_different(release: Release, index: Path) -> None:
    for kind in ("json", "html"):
        path = page(index, "helper", kind)
        replace(path, path.read_text().replace(">=3.10", ">= 3.10").replace("&gt;=3.10", "&gt;= 3.10"))
    assert "VK704" not in rules(release.check(index))


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("#sha256=", "#sha256=0", "sha256"),
        ("data-core-metadata=", "data-other=", ""),
        ('data-core-metadata="sha256=', 'data-core-metadata="sha256=0', "core-metadata"),
        ("../../files/", "../../other/", "url"),
        ("<a ", '<a data-yanked="why" ', "yanked"),
        ("<a ", '<a data-provenance="x" ', "provenance"),
        ("&gt;=3.10", "", "requires-python"),
    ],
)
def test_html_that_says_something_else(release: Release, index: Path, old: str, new: str, field: str) -> None:
    path = page(index, "helper", "html")
    assert old in path.read_text()
    replace(path, path.read_text().replace(old, new, 1))
    result = release.check(index)
    # The older spelling of an attribute is as good.
    assert rules(result) == ({"VK705"} if field else set())
    if field:
        assert f"helper-0.5-py3-none-any.whl has another {field} than on the JSON page" in messages(result, "VK705")


def test_a_yanked_file_says_the_same_on_both_pages(release: Release, index: Path) -> None:
    Repository(index).yank("0.5", 'it was "wrong" & <bad>', ["helper"])
    assert release.check(index).findings == ()


def test_a_file_on_one_page_only(release: Release, index: Path) -> None:
    change_json(page(index, "helper"), lambda each: each.update(files=[], versions=[]))
    assert "helper-0.5-py3-none-any.whl is only on the HTML page" in messages(release.check(index), "VK705")
    change_json(page(index), lambda each: each["files"].pop(0))
    assert "is only on the HTML page" in messages(release.check(index), "VK705")
    replace(page(index, "saxpy-avx2", "html"), "<html></html>")
    assert "is only on the JSON page" in messages(release.check(index), "VK705")


def test_an_index_of_html_only_is_read(release: Release, index: Path) -> None:
    page(index).unlink()
    result = release.check(index)
    assert rules(result) == {"VK701"}
    assert result.files == 13


def test_a_file_of_another_project(release: Release, index: Path) -> None:
    document = json.loads(page(index, "helper").read_text())
    change_json(page(index), lambda each: each["files"].append(document["files"][0]))
    result = release.check(index)
    assert "helper-0.5-py3-none-any.whl is a file of helper" in messages(result, "VK706")
    assert "its list of versions and its files differ in 0.5" in messages(result, "VK706")


def test_a_file_that_is_listed_twice_or_is_none(release: Release, index: Path) -> None:
    change_json(page(index, "helper"), lambda each: each["files"].append(dict(each["files"][0])))
    assert "helper-0.5-py3-none-any.whl is there twice" in messages(release.check(index), "VK706")
    change_json(page(index, "helper"), lambda each: each["files"][0].update(filename="notes.txt"))
    assert "notes.txt is neither a wheel nor an sdist" in messages(release.check(index), "VK706")


def test_versions(release: Release, index: Path) -> None:
    change_json(page(index), lambda each: each.update(versions=["1.2.3", "new"]))
    assert "its list of versions and its files differ in new" in messages(release.check(index), "VK706")
    change_json(page(index), lambda each: each.pop("versions"))
    assert "it has no list of versions" in messages(release.check(index), "VK706")


def attest(path: Path, name: str | None = None) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    statement = {"subject": [{"name": name or path.name, "digest": {"sha256": digest}}]}
    attestation = {"envelope": {"statement": base64.b64encode(json.dumps(statement).encode()).decode()}}
    document = {"version": 1, "attestation_bundles": [{"attestations": [attestation]}]}
    path.with_name(path.name + ".provenance").write_text(json.dumps(document))


def test_attestations(release: Release, tmp_path: Path) -> None:
    helper = release.dist / "helper-0.5-py3-none-any.whl"
    attest(helper)
    index = tmp_path / "attested"
    Repository(index).publish([release.dist])
    assert release.check(index).findings == ()

    inside = place(index, "helper-0.5-py3-none-any.whl")
    attest(inside, "other.whl")
    assert "is about another file than helper-0.5" in messages(release.check(index), "VK707")
    inside.with_name(inside.name + ".provenance").write_text("[")
    assert "is not an attestation as PEP 740 has them" in messages(release.check(index), "VK707")
    inside.with_name(inside.name + ".provenance").unlink()
    assert "its attestation is not there, at ../../files/" in messages(release.check(index), "VK707")


def test_labels_without_a_variants_file_on_the_page(release: Release, index: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["files"].remove(listed(document, "-variants.json"))

    change_json(page(index), change)
    path = page(index, kind="html")
    lines = [line for line in path.read_text().splitlines() if "-variants.json" not in line]
    replace(path, "\n".join(lines))
    result = release.check(index)
    assert rules(result) == {"VK105"}
    assert "saxpy 1.2.3 has wheels with labels and no -variants.json on its page" in messages(result, "VK105")


def test_the_variants_file_of_an_index_is_compared(release: Release, index: Path) -> None:
    path = place(index, "-variants.json")
    document = json.loads(path.read_text())
    document["variants"].pop("fast_v2")
    path.write_text(json.dumps(document))
    result = release.check(index)
    assert rules(result) == {"VK105", "VK702"}
    assert "it does not have the label fast_v2 of" in messages(result, "VK105")


def test_rules_of_the_matrix_look_at_the_newest_release(release: Release, tmp_path: Path) -> None:
    """What was built from an earlier classifiers.toml, and published then, is right."""
    index = tmp_path / "growing"
    Repository(index).publish([release.dist])
    path = release.root / "classifiers.toml"
    path.write_text(path.read_text().replace("size-budget-kib = 64", "size-budget-kib = 1"))
    assert rules(release.check(index)) == {"VK404"}
    name = WheelName(distribution="saxpy", version="2.0", python="py3", abi="none", platform=PLATFORM)
    write(tmp_path / "new", name, {"saxpy/__init__.py": b""}, [])
    Repository(index).publish([tmp_path / "new"])
    result = release.check(index, select=("VK4",))
    assert {finding.file.name for finding in result.findings} == {name.filename}


def test_damaged_files_of_an_index(release: Release, index: Path) -> None:
    path = place(index, "helper-0.5-py3-none-any.whl")
    path.write_bytes(b"no zip")
    result = release.check(index)
    assert rules(result) == {"VK201", "VK702"}


def test_an_empty_index(tmp_path: Path) -> None:
    (tmp_path / "simple").mkdir()
    result = check([tmp_path], matrix=None, ignore=["VK6"])
    assert rules(result) == {"VK701"}
    assert result.files == 0


def test_a_check_changes_nothing(release: Release, index: Path) -> None:
    before = {path: path.read_bytes() for path in index.rglob("*") if path.is_file()}
    release.check(index)
    assert before == {path: path.read_bytes() for path in index.rglob("*") if path.is_file()}
