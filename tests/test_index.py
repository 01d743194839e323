"""The static package index: what is published, what readers see of it, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from certificates import certificate
from index_reader import IndexReader
from tiny_wheels import TIME, base_wheel, classifier_wheel, matrix, row, wheel
from variantkit.cli import index as command
from variantkit.errors import BusyError, IndexingError, VariantError, WheelError
from variantkit.index import Repository, write_index
from variantkit.lock_file import only_writer
from variantkit.variants import describe, dumps, for_label
from variantkit.wheel import Wheel

NOW = "2026-11-24T12:00:00Z"
MATRIX = matrix(row("avx2", 20), row("avx512", 30, level="x86-64-v4"))
DOCUMENT = describe(MATRIX)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder that is not there yet."""
    return tmp_path / "index"


def plain(folder: Path, name: str = "demo", version: str = "1.0", **more: Any) -> Path:
    return wheel(folder, f"{name}-{version}-py3-none-any.whl", **more)


def variant(
    folder: Path, label: str, version: str = "1.0", document: Any = DOCUMENT, tags: str = "py3-none-any"
) -> Path:
    more = {"variant.json": dumps(for_label(document, label)).encode()}
    return wheel(folder, f"demo-{version}-{tags}-{label}.whl", more=more)


def listed(target: Path, project: str = "demo") -> dict[str, dict[str, Any]]:
    """Return what the JSON page says of each file."""
    document = json.loads((target / "simple" / project / "index.json").read_text())
    return {each["filename"]: each for each in document["files"]}


def fetch(target: Path, url: str) -> bytes:
    """Return what the page of `demo` leads to; an address is joined as a text, whatever is a link on the disk."""
    return Path(os.path.normpath(target / "simple" / "demo" / url)).read_bytes()


def names(target: Path) -> set[str]:
    """Return the names of all files that lie there, whether on a page or not."""
    return {path.name for path in target.glob("files/*/*/*")}


def generations(target: Path) -> list[str]:
    return sorted(path.name for path in (target / ".pages").iterdir())


def test_each_page_names_files_that_are_there_and_have_their_hash(tmp_path: Path, target: Path) -> None:
    lines = ["Requires-Python: >=3.10"]
    files = [
        plain(tmp_path, lines=lines),
        plain(tmp_path, version="2.0"),
        plain(tmp_path, "some_name"),
        variant(tmp_path, "avx2"),
    ]
    published = Repository(target).publish(files, now=NOW)
    assert published.simple == target / "simple"
    assert set(published.added) == {*(path.name for path in files), "demo-1.0-variants.json"}
    assert (published.removed, published.unchanged) == ((), 0)
    read = IndexReader(target).look()
    assert {project: {link.filename for link in links} for project, links in read.items()} == {
        "demo": {"demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl", "demo-1.0-py3-none-any-avx2.whl", "demo-1.0-variants.json"},
        "some-name": {"some_name-1.0-py3-none-any.whl"},
    }  # fmt: skip
    first = listed(target)["demo-1.0-py3-none-any.whl"]
    assert first["requires-python"] == ">=3.10"
    assert first["upload-time"] == NOW
    assert first["size"] == files[0].stat().st_size
    assert 'data-requires-python="&gt;=3.10"' in (target / "simple" / "demo" / "index.html").read_text()


def test_a_file_lies_where_its_hash_says_beside_its_metadata(tmp_path: Path, target: Path) -> None:
    path = plain(tmp_path, lines=["Author: Jürgen"])
    write_index([path], target)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    place = target / "files" / digest[:2] / digest[2:] / path.name
    assert place.read_bytes() == path.read_bytes()
    metadata = place.with_name(f"{path.name}.metadata")
    assert metadata.read_bytes() == Wheel(path).metadata_bytes
    assert listed(target)[path.name]["core-metadata"] == {"sha256": hashlib.sha256(metadata.read_bytes()).hexdigest()}


def test_the_pages_are_links_that_lead_to_one_generation(tmp_path: Path, target: Path) -> None:
    write_index([plain(tmp_path)], target)
    assert (target / "simple").readlink() == Path(".current/simple")
    assert (target / "index.html").readlink() == Path(".current/index.html")
    assert (target / ".current").readlink() == Path(".pages/000001")
    # It can be moved as a whole.
    target.rename(tmp_path / "moved")
    assert IndexReader(tmp_path / "moved").look()["demo"]


def test_an_address_of_a_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain(tmp_path)
    assert write_index([Path("demo-1.0-py3-none-any.whl")], Path("here")) == tmp_path / "here" / "simple"


def test_releases_lie_side_by_side_newest_last(tmp_path: Path, target: Path) -> None:
    for version in ("1.9", "1.10", "1.2"):
        Repository(target).publish([plain(tmp_path, version=version)])
    assert [name.split("-")[1] for name in listed(target)] == ["1.2", "1.9", "1.10"]
    assert json.loads((target / "simple/demo/index.json").read_text())["versions"] == ["1.2", "1.9", "1.10"]


def test_a_release_writes_the_pages_of_its_own_projects_only(tmp_path: Path, target: Path) -> None:
    write_index([plain(tmp_path), plain(tmp_path, "other")], target)
    page = target / "simple" / "other"
    before = {name: (page / name).stat().st_ino for name in ("index.html", "index.json")}
    own = (target / "simple" / "demo" / "index.html").stat().st_ino
    Repository(target).publish([plain(tmp_path, version="2.0")])
    assert {name: (page / name).stat().st_ino for name in before} == before
    assert (target / "simple" / "demo" / "index.html").stat().st_ino != own
    assert set(IndexReader(target).look()) == {"demo", "other"}


def test_the_plus_of_a_local_version_is_quoted_in_addresses(tmp_path: Path, target: Path) -> None:
    write_index([plain(tmp_path, version="1.0+cu13")], target)
    page = target / "simple" / "demo"
    (address,) = (file["url"] for file in json.loads((page / "index.json").read_text())["files"])
    assert address.endswith("/demo-1.0%2Bcu13-py3-none-any.whl")
    assert f'href="{address}#sha256=' in (page / "index.html").read_text()
    assert list(listed(target)) == ["demo-1.0+cu13-py3-none-any.whl"]
    assert set(IndexReader(target).look()) == {"demo"}


def test_the_same_again_changes_nothing(tmp_path: Path, target: Path) -> None:
    files = [plain(tmp_path), variant(tmp_path, "avx2")]
    Repository(target).publish(files)
    for again in (False, True):
        published = Repository(target).publish(files, replace=again)
        assert (published.added, published.removed, published.unchanged) == ((), (), 3)  # with the file of variants
    assert generations(target) == ["000001"]


def test_a_published_file_never_changes(tmp_path: Path, target: Path) -> None:
    first = plain(tmp_path / "1")
    Repository(target).publish([first, variant(tmp_path / "1", "avx2")])
    before = listed(target)
    changed = plain(tmp_path / "2", files={"new.py": b""})
    with pytest.raises(
        IndexingError, match=r"is published with another content, .* or, where nobody has it yet, give --replace"
    ):
        Repository(target).publish([plain(tmp_path / "2", version="2.0"), changed])
    assert listed(target) == before
    assert IndexReader(target).look()
    assert "demo-2.0-py3-none-any.whl" not in names(target)


def test_replacing_takes_the_rest_of_the_version_away_and_nothing_else(tmp_path: Path, target: Path) -> None:
    same, gone = plain(tmp_path), variant(tmp_path, "avx2")
    Repository(target).publish([same, gone, plain(tmp_path, version="0.9"), plain(tmp_path, "other")])
    changed = variant(tmp_path / "2", "avx512")
    published = Repository(target).publish([same, changed], replace=True)
    assert published.added == (changed.name, "demo-1.0-variants.json")
    assert published.removed == (gone.name,)
    assert published.unchanged == 1
    assert set(listed(target)) == {same.name, changed.name, "demo-0.9-py3-none-any.whl", "demo-1.0-variants.json"}
    assert set(IndexReader(target).look()) == {"demo", "other"}


def test_replacing_a_file_by_another_of_its_name(tmp_path: Path, target: Path) -> None:
    write_index([plain(tmp_path / "1")], target)
    changed = plain(tmp_path / "2", files={"new.py": b""})
    published = Repository(target).publish([changed], replace=True)
    assert (published.added, published.removed) == ((changed.name,), ())
    assert listed(target)[changed.name]["hashes"]["sha256"] == hashlib.sha256(changed.read_bytes()).hexdigest()


def test_who_read_a_page_before_a_switch_gets_its_files_after_it(tmp_path: Path, target: Path) -> None:
    dropped, kept = plain(tmp_path / "1"), plain(tmp_path / "1", version="0.9")
    write_index([dropped, kept], target)
    reader = IndexReader(target)
    before = reader.pages()
    write_index([plain(tmp_path / "2", files={"new.py": b""})], target)
    reader.fetch(before)
    both = reader.pages()
    assert names(target) >= {dropped.name, kept.name}
    # After the next publication nobody can have that page in hand any more.
    Repository(target).publish([plain(tmp_path, version="3.0")])
    reader.fetch(both)
    with pytest.raises(AssertionError, match=r"demo-1\.0-py3-none-any\.whl is on a page, and it is not there"):
        reader.fetch(before)
    assert len(list(target.glob(f"files/*/*/{dropped.name}"))) == 1
    assert len(list(target.glob(f"files/*/*/{dropped.name}.metadata"))) == 1
    reader.look()
    assert generations(target) == ["000002", "000003"]
    assert not list(target.glob("files/*/*/.*"))
    assert all(any(folder.iterdir()) for folder in target.glob("files/*/*"))


def test_a_file_that_comes_back_is_not_removed(tmp_path: Path, target: Path) -> None:
    first, second = plain(tmp_path / "1"), plain(tmp_path / "2", files={"new.py": b""})
    for path in (first, second, first, second, first):
        write_index([path], target)
        IndexReader(target).look()
    assert listed(target)[first.name]["hashes"]["sha256"] == hashlib.sha256(first.read_bytes()).hexdigest()


def test_metadata_that_two_wheels_share(tmp_path: Path, target: Path) -> None:
    # Two files of one content lie in one folder; removing one leaves the other.
    one = plain(tmp_path)
    shutil.copy(one, tmp_path / "demo-1.0-1-py3-none-any.whl")
    write_index([one, tmp_path / "demo-1.0-1-py3-none-any.whl"], target)
    write_index([one], target)
    write_index([plain(tmp_path, version="2.0")], target)
    IndexReader(target).look()
    assert names(target) == {
        f"demo-{version}-py3-none-any.whl{ending}" for version in ("1.0", "2.0") for ending in ("", ".metadata")
    }


# What may be published


def test_a_failed_publication_leaves_the_old_one_untouched(tmp_path: Path, target: Path) -> None:
    write_index([plain(tmp_path, "first")], target)
    before = IndexReader(target).look()
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_bytes(b"no zip")
    with pytest.raises(WheelError, match=r"broken-1\.0-py3-none-any\.whl cannot be read as a wheel"):
        write_index([plain(tmp_path, "second"), broken], target)
    assert IndexReader(target).look() == before
    assert generations(target) == ["000001"]


def test_a_wheel_that_is_not_what_its_record_says(tmp_path: Path, target: Path) -> None:
    path = plain(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more", "content")
    with pytest.raises(WheelError, match="is damaged: more is not in RECORD"):
        write_index([path], target)
    assert not target.exists()


def test_a_wheel_of_another_classifiers_toml(tmp_path: Path, target: Path) -> None:
    path = classifier_wheel(tmp_path, MATRIX, "avx2")
    other = matrix(row("avx2", 20, link_flags={"gcc": ("-Wl,-z,x86-64-v3",)}))
    with pytest.raises(WheelError, match=r"another version of classifiers\.toml"):
        Repository(target).publish([path], matrix=other)
    Repository(target).publish([path, plain(tmp_path, "helper")], matrix=MATRIX)
    assert set(IndexReader(target).look()) == {"demo-avx2", "helper"}


@pytest.mark.parametrize(
    "name",
    [
        "thing.whl",
        "thing-1.0.zip",
        "notes.txt",
        "thing-x.tar.gz",
        "a b-1.0.tar.gz",
        "a#b-1.0.tar.gz",
        "thing-1.0.tar.gz",
    ],
)
def test_what_is_neither_a_wheel_nor_an_sdist(tmp_path: Path, target: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b nothing")
    with pytest.raises((IndexingError, WheelError), match=r"cannot be read as a wheel|is neither a wheel nor an sdist"):
        write_index([tmp_path / name], target)
    assert not target.exists()


def test_two_files_of_one_name_are_refused_and_neither_is_touched(tmp_path: Path, target: Path) -> None:
    one, two = plain(tmp_path / "a"), plain(tmp_path / "b", files={"more": b"content"})
    before = one.read_bytes(), two.read_bytes()
    for pair in ([one, two], [one, one]):
        with pytest.raises(IndexingError, match="was given twice"):
            write_index(pair, target)
    assert (one.read_bytes(), two.read_bytes()) == before
    assert not target.exists()


def test_a_label_and_a_variant_json_come_together(tmp_path: Path, target: Path) -> None:
    without = wheel(tmp_path, "demo-1.0-py3-none-any-avx2.whl")
    unlabelled = plain(tmp_path, version="2.0", more={"variant.json": b'{"variants": {}}'})
    for path in (without, unlabelled):
        with pytest.raises(IndexingError, match=r"has a label without a variant\.json, or the other way round"):
            write_index([path], target)


def test_a_variant_that_installers_would_not_take(tmp_path: Path, target: Path) -> None:
    more = {"variant.json": dumps({**for_label(DOCUMENT, "avx2"), "more": 1}).encode()}
    with pytest.raises(IndexingError, match=r"has the unknown key 'more'\. Assemble it again"):
        write_index([wheel(tmp_path, "demo-1.0-py3-none-any-avx2.whl", more=more)], target)


# The file of variants


def test_the_file_of_variants_is_derived_from_the_wheels_and_not_taken(tmp_path: Path, target: Path) -> None:
    dist = tmp_path / "dist"
    for label in ("avx2", "avx512", "null"):
        variant(dist, label)
    (dist / "demo-1.0-variants.json").write_text("damaged, and not looked at")
    write_index([dist, dist / "demo-1.0-variants.json"], target)
    entry = listed(target)["demo-1.0-variants.json"]
    document = json.loads(fetch(target, entry["url"]))
    assert document == DOCUMENT
    assert set(entry) == {"filename", "url", "hashes", "size", "upload-time"}


def test_variants_come_together_over_several_publications(tmp_path: Path, target: Path) -> None:
    for number, label in enumerate(("avx512", "null", "avx2"), 1):
        published = Repository(target).publish([variant(tmp_path, label)])
        assert published.added[-1] == "demo-1.0-variants.json"
        entry = listed(target)["demo-1.0-variants.json"]
        document = json.loads(fetch(target, entry["url"]))
        assert len(document["variants"]) == number
        IndexReader(target).look()
    assert document == DOCUMENT
    # A wheel for another Python adds no label.
    published = Repository(target).publish([variant(tmp_path, "avx2", tags="cp311-none-any")])
    assert published.added == ("demo-1.0-cp311-none-any-avx2.whl",)


def test_each_release_has_its_own_variants(tmp_path: Path, target: Path) -> None:
    Repository(target).publish([variant(tmp_path, "avx2"), variant(tmp_path, "avx512", "2.0")])
    assert {name for name in listed(target) if name.endswith(".json")} == {
        "demo-1.0-variants.json",
        "demo-2.0-variants.json",
    }


def test_a_label_with_another_meaning_is_refused(tmp_path: Path, target: Path) -> None:
    write_index([variant(tmp_path / "1", "avx2")], target)
    before = IndexReader(target).look()
    other = {**DOCUMENT, "variants": {"avx2": {"x86_64": {"level": ["v2"]}}}}
    path = variant(tmp_path / "2", "avx2", document=other, tags="cp311-none-any")
    with pytest.raises(VariantError, match="The label avx2 stands for different properties"):
        Repository(target).publish([path])
    assert IndexReader(target).look() == before
    # With --replace, what was there has no say.
    Repository(target).publish([path], replace=True)
    assert set(listed(target)) == {path.name, "demo-1.0-variants.json"}


def test_without_wheels_that_have_a_label_there_is_no_file_of_variants(tmp_path: Path, target: Path) -> None:
    write_index([plain(tmp_path), variant(tmp_path, "avx2")], target)
    published = Repository(target).publish([plain(tmp_path)], replace=True)
    assert set(published.removed) == {"demo-1.0-py3-none-any-avx2.whl", "demo-1.0-variants.json"}
    assert list(listed(target)) == ["demo-1.0-py3-none-any.whl"]


# Yanking


def test_a_release_is_yanked_for_a_reason_and_taken_back(tmp_path: Path, target: Path) -> None:
    write_index(
        [plain(tmp_path), variant(tmp_path, "avx2"), plain(tmp_path, version="2.0"), plain(tmp_path, "other")], target
    )
    never = listed(target)
    repository = Repository(target)
    changed = repository.yank("1.0.0", 'broken "somehow"')
    assert set(changed.added) == {
        "demo-1.0-py3-none-any.whl",
        "demo-1.0-py3-none-any-avx2.whl",
        "other-1.0-py3-none-any.whl",
    }
    yanked = {name: entry.get("yanked") for name, entry in listed(target).items()}
    assert yanked == {
        "demo-1.0-py3-none-any.whl": 'broken "somehow"',
        "demo-1.0-py3-none-any-avx2.whl": 'broken "somehow"',
        "demo-1.0-variants.json": None,
        "demo-2.0-py3-none-any.whl": None,
    }
    assert 'data-yanked="broken &quot;somehow&quot;"' in (target / "simple/demo/index.html").read_text()
    IndexReader(target).look()
    repository.yank("1.0", None, ["Other"])
    assert "yanked" not in listed(target, "other")["other-1.0-py3-none-any.whl"]
    assert listed(target) != never
    repository.yank("1.0", None)
    assert listed(target) == never


def test_yanking_without_a_reason(tmp_path: Path, target: Path) -> None:
    write_index([plain(tmp_path)], target)
    Repository(target).yank("1.0", "")
    assert listed(target)["demo-1.0-py3-none-any.whl"]["yanked"] is True
    # It stays so when the release gets one more file.
    Repository(target).publish([wheel(tmp_path, "demo-1.0-cp311-none-any.whl")])
    assert {name: entry.get("yanked") for name, entry in listed(target).items()} == {
        "demo-1.0-py3-none-any.whl": True,
        "demo-1.0-cp311-none-any.whl": None,
    }


def test_there_is_no_such_release_to_yank(tmp_path: Path, target: Path) -> None:
    with pytest.raises(IndexingError, match=r"There is no index in .*\. Name the folder of one"):
        Repository(target).yank("1.0", "")
    assert not target.exists()
    write_index([plain(tmp_path)], target)
    with pytest.raises(IndexingError, match=r"There is no release 2\.0 in .*\. Name one that is there"):
        Repository(target).yank("2.0", "")
    with pytest.raises(IndexingError, match=r"There is no release 1\.0 in"):
        Repository(target).yank("1.0", "", ["other"])
    with pytest.raises(IndexingError, match="'one' is not a version"):
        Repository(target).yank("one", "")


# Attestations


def attestation(path: Path, signature: str = "MEUC") -> str:
    statement = {"subject": [{"name": path.name, "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}]}
    envelope = {"statement": base64.b64encode(json.dumps(statement).encode()).decode(), "signature": signature}
    return json.dumps({"version": 1, "verification_material": {"certificate": certificate()}, "envelope": envelope})


def test_an_attestation_is_served_beside_its_file(tmp_path: Path, target: Path) -> None:
    path = plain(tmp_path)
    path.with_name(f"{path.name}.publish.attestation").write_text(attestation(path))
    write_index([tmp_path], target)
    entry = listed(target)[path.name]
    assert entry["provenance"] == f"{entry['url']}.provenance"
    document = json.loads(fetch(target, entry["provenance"]))
    assert document["attestation_bundles"][0]["attestations"][0] == json.loads(attestation(path))
    assert f'data-provenance="{entry["provenance"]}"' in (target / "simple/demo/index.html").read_text()


def test_an_attestation_may_come_after_its_file_and_be_made_anew(tmp_path: Path, target: Path) -> None:
    path = plain(tmp_path)
    write_index([path], target)
    before = listed(target)[path.name]
    beside = path.with_name(f"{path.name}.publish.attestation")
    for signature in ("MEUC", "MEUD"):
        beside.write_text(attestation(path, signature))
        Repository(target).publish([path])
        entry = listed(target)[path.name]
        assert {**entry, "provenance": None} == {**before, "provenance": None}
        served = json.loads(fetch(target, entry["provenance"]))
        assert served["attestation_bundles"][0]["attestations"][0] == json.loads(beside.read_text())
    beside.unlink()
    Repository(target).publish([path])
    assert listed(target)[path.name] == entry


def test_an_attestation_is_served_when_a_file_comes_back(tmp_path: Path, target: Path) -> None:
    first, second = plain(tmp_path / "a"), plain(tmp_path / "b", "more")
    second = second.rename(second.with_name(first.name))
    write_index([first], target)
    write_index([second], target)
    first.with_name(f"{first.name}.publish.attestation").write_text(attestation(first))
    write_index([first], target)
    assert fetch(target, listed(target)[first.name]["provenance"])


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "metadata", "no metadata"])
def test_replace_mends_what_is_damaged(tmp_path: Path, target: Path, damage: str) -> None:
    path = plain(tmp_path)
    write_index([path], target)
    entry = listed(target)[path.name]
    place = target / entry["url"].removeprefix("../../")
    beside = place.with_name(f"{place.name}.metadata")
    good = place.read_bytes(), beside.read_bytes()
    if damage == "cut":
        place.write_bytes(good[0][:-5])
    elif damage == "flip":
        place.write_bytes(good[0][:-5] + b"zzzzz")
    elif damage == "gone":
        place.unlink()
    elif damage == "metadata":
        beside.write_bytes(b"Name: other\n")
    else:
        beside.unlink()
    Repository(target).publish([path], replace=True)
    assert (place.read_bytes(), beside.read_bytes()) == good
    assert listed(target)[path.name] == entry


@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_replace_mends_the_file_of_variants(tmp_path: Path, target: Path, damage: bytes | None) -> None:
    made = [plain(tmp_path), variant(tmp_path, "avx2")]
    write_index(made, target)
    entry = listed(target)["demo-1.0-variants.json"]
    place = target / entry["url"].removeprefix("../../")
    good = place.read_bytes()
    place.unlink() if damage is None else place.write_bytes(damage)
    Repository(target).publish(made, replace=True)
    assert place.read_bytes() == good
    assert listed(target)["demo-1.0-variants.json"] == entry


def test_replace_mends_what_a_page_says(tmp_path: Path, target: Path) -> None:
    path = plain(tmp_path)
    write_index([path], target)
    page = (target / "simple" / "demo" / "index.json").resolve()
    good = page.read_text()
    document = json.loads(good)
    document["files"][0]["size"] = 1
    document["files"][0]["requires-python"] = ">=2"
    page.write_text(json.dumps(document))
    Repository(target).publish([path], replace=True)
    assert (target / "simple" / "demo" / "index.json").read_text() == good


def test_an_attestation_of_another_file_keeps_the_release_out(tmp_path: Path, target: Path) -> None:
    path = plain(tmp_path)
    path.with_name(f"{path.name}.provenance").write_text(attestation(plain(tmp_path, "other")))
    with pytest.raises(IndexingError, match="is not an attestation"):
        write_index([path], target)
    assert not target.exists()


# The folder


def test_a_folder_that_is_not_ours_is_not_written_in(tmp_path: Path) -> None:
    path = plain(tmp_path)
    for number, present in enumerate((("precious",), (".lock", "precious"), ("files", "index.html"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in present:
            (folder / name).touch()
        with pytest.raises(IndexingError, match="exists and is not an index that was written here"):
            write_index([path], folder)
        assert {each.name for each in folder.iterdir()} == set(present)


def test_neither_is_a_file_nor_a_link(tmp_path: Path, target: Path) -> None:
    path = plain(tmp_path)
    (tmp_path / "file").touch()
    write_index([path], target)
    (tmp_path / "link").symlink_to(target)
    for name in ("file", "link"):
        with pytest.raises(IndexingError, match="exists and is not an index that was written here"):
            write_index([path], tmp_path / name)


def test_an_empty_folder_and_what_a_killed_first_publication_leaves_are_ours(tmp_path: Path) -> None:
    for number, present in enumerate(
        ((), (".lock", ".lock.json", "..lock.json.abc.partial", "files/"), ("files/", ".pages/"))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in present:
            (folder / name).mkdir() if name.endswith("/") else (folder / name).touch()
        write_index([plain(tmp_path)], folder)
        assert IndexReader(folder).look()["demo"]


def test_while_another_process_publishes(tmp_path: Path, target: Path) -> None:
    with only_writer(target), pytest.raises(BusyError, match=r"is being written by process \d+ on "):
        Repository(target, wait=False).publish([plain(tmp_path)])
    assert not (target / "simple").exists()


def test_nothing_is_left_lying_about(tmp_path: Path, target: Path) -> None:
    write_index([plain(tmp_path), variant(tmp_path, "avx2")], target)
    assert {path.name for path in target.iterdir()} == {".current", ".lock", ".pages", "files", "index.html", "simple"}


def test_all_that_is_published(tmp_path: Path, target: Path) -> None:
    assert Repository(target).projects() == {}
    write_index([plain(tmp_path, "some_name"), plain(tmp_path)], target)
    projects = Repository(target).projects()
    assert {name: [file.filename for file in files] for name, files in projects.items()} == {
        "demo": ["demo-1.0-py3-none-any.whl"],
        "some-name": ["some_name-1.0-py3-none-any.whl"],
    }


def test_a_damaged_page_is_told_of_and_nothing_is_lost(tmp_path: Path, target: Path) -> None:
    write_index([plain(tmp_path)], target)
    page = target / "simple" / "demo" / "index.json"
    text = page.read_text()
    page.write_text(text[:-20])
    with pytest.raises(IndexingError, match="A page of the index is damaged"):
        Repository(target).publish([plain(tmp_path, version="2.0")])
    page.write_text(text)
    IndexReader(target).look()


# The command


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    """The second customer's project, with wheels in dist/ that no matrix speaks of."""
    folder = tmp_path / "saxpy"
    shutil.copytree(root / "tests" / "projects" / "saxpy", folder, ignore=shutil.ignore_patterns("build", "dist"))
    wheel(folder / "dist", "saxpy-1.2.3-py3-none-any.whl")
    plain(folder / "dist", "helper")
    return folder


def run(*words: str | Path, root: Path) -> int:
    return command.main(list(map(str, words)), prog="variantkit index", root=root)


def test_the_command_publishes_and_says_how_to_install(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root=project) == 0
    address = (project / "build" / "index" / "simple").as_uri()
    out = capsys.readouterr().out
    assert out.startswith("2 files published, 0 taken away, 0 unchanged.\nInstall from it with:\n\n")
    assert address in out
    assert 'pip install "saxpy"' in out
    assert run(root=project) == 0
    assert capsys.readouterr().out.startswith("0 files published, 0 taken away, 2 unchanged.")
    assert run("--replace", project / "dist" / "saxpy-1.2.3-py3-none-any.whl", root=project) == 0
    assert set(IndexReader(project / "build" / "index").look()) == {"helper", "saxpy"}


def test_the_command_yanks(project: Path, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--out", target, "--time", "2026-1-2T3:04:05Z", root=project)
    assert listed(target, "saxpy")["saxpy-1.2.3-py3-none-any.whl"]["upload-time"] == "2026-01-02T03:04:05Z"
    capsys.readouterr()
    assert run("--out", target, "--yank", "1.2.3", "--reason", "slow", root=project) == 0
    assert capsys.readouterr().out == "1 files of 1.2.3 are yanked\n"
    assert listed(target, "saxpy")["saxpy-1.2.3-py3-none-any.whl"]["yanked"] == "slow"
    assert run("--out", target, "--unyank", "1.2.3", root=project) == 0
    assert capsys.readouterr().out == "1 files of 1.2.3 are not yanked any more\n"
    with pytest.raises(IndexingError, match="'' is not a version"):
        run("--out", target, "--yank", "", root=project)


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["--yank", "1", "dist"], "publish nothing; leave the files out"),
        (["--yank", "1", "--unyank", "1"], "not allowed with argument"),
        (["."], "there are no wheels to publish; build them first"),
        (["nowhere"], "nowhere does not exist"),
        (["--time", "today"], "is not a time in UTC, such as 2026-11-24T12:00:00Z"),
    ],
)
def test_wrong_arguments(project: Path, words: list[str], advice: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*words, root=project)
    assert caught.value.code == 2
    assert advice in capsys.readouterr().err


def test_the_front_page_is_of_the_project_whose_matrix_is_there(tmp_path: Path, target: Path) -> None:
    files = [base_wheel(tmp_path, MATRIX), classifier_wheel(tmp_path, MATRIX, "avx2")]
    Repository(target).publish(files, matrix=MATRIX)
    page = (target / "index.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "avx2" in page
    # What was said of a release stays when another is added without a matrix.
    Repository(target).publish([plain(tmp_path, "helper", time=TIME)])
    assert "avx2" in (target / "index.html").read_text()
