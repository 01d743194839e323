"""The pages of a simple repository, read as the standards describe them."""

from __future__ import annotations

import html.parser
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from variantkit.errors import IndexingError
from variantkit.pages import File, project_html, project_json, read_project, root_html, root_json, version_of

WHEEL = "demo-1.0-py3-none-any.whl"


class Anchors(html.parser.HTMLParser):
    """What a page has between its tags, by an independent reader."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.meta: dict[str | None, str | None] = {}
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(("", dict(attrs)))
        elif tag == "meta":
            self.meta[dict(attrs).get("name")] = dict(attrs).get("content")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "a" and data.strip():
            self.found[-1] = (self.found[-1][0] + data, self.found[-1][1])


def file(**more: Any) -> File:
    return File(**{"filename": WHEEL, "sha256": "ab" * 32, "size": 10, **more})


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
files = st.builds(
    File,
    filename=st.sampled_from([WHEEL, "demo-1.0.tar.gz", "demo-2.0-py3-none-any-avx2.whl", "demo-1.0-variants.json"]),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    size=st.integers(0, 2**40),
    requires_python=st.none() | texts,
    core_metadata=st.none() | st.just("cd" * 32),
    yanked=st.none() | st.just("") | texts,
    upload_time=st.none() | st.just("2026-11-24T12:00:00Z"),
    provenance=st.none() | st.just("../../files/x.provenance"),
)


@settings(max_examples=60)
@given(st.lists(files, max_size=4, unique_by=lambda each: each.filename))
def test_both_pages_say_the_same_and_json_can_be_read_again(some: list[File]) -> None:
    text = project_json("demo", some)
    assert read_project(text) == some
    listed = json.loads(text)["files"]
    anchors = Anchors(project_html("demo", some)).found
    assert len(anchors) == len(listed)
    for entry, (shown, attributes) in zip(listed, anchors, strict=True):
        url, _, fragment = str(attributes["href"]).partition("#")
        assert (shown, url) == (entry["filename"], entry["url"])
        assert fragment == f"sha256={entry['hashes']['sha256']}"
        assert attributes.get("data-requires-python") == entry.get("requires-python")
        core = entry.get("core-metadata")
        assert attributes.get("data-core-metadata") == (core and f"sha256={core['sha256']}")
        assert attributes.get("data-dist-info-metadata") == attributes.get("data-core-metadata")
        assert entry.get("dist-info-metadata") == core
        assert attributes.get("data-provenance") == entry.get("provenance")
        yanked = entry.get("yanked", False)
        assert attributes.get("data-yanked") == (None if not yanked else "" if yanked is True else yanked)


def test_the_url_of_a_file_is_relative_and_its_place_is_named_by_its_hash() -> None:
    one = file()
    assert one.place == f"files/ab/{'ab' * 31}/{WHEEL}"
    assert json.loads(project_json("demo", [one]))["files"][0]["url"] == f"../../{one.place}"


def test_what_pep_691_and_700_demand() -> None:
    document = json.loads(
        project_json("demo", [file(), file(filename="demo-1.10.tar.gz"), file(filename="demo-1.9.tar.gz")])
    )
    assert document["meta"] == {"api-version": "1.3"}
    assert document["name"] == "demo"
    assert document["versions"] == ["1.0", "1.9", "1.10"]
    assert set(document["files"][0]) == {"filename", "url", "hashes", "size"}
    assert json.loads(root_json(["a", "b"])) == {
        "meta": {"api-version": "1.3"},
        "projects": [{"name": "a"}, {"name": "b"}],
    }


def test_a_requirement_of_python_is_escaped() -> None:
    page = project_html("demo", [file(requires_python='>=3.10,<4,!="x"&')])
    assert 'data-requires-python="&gt;=3.10,&lt;4,!=&quot;x&quot;&amp;"' in page


def test_a_reason_is_text_and_no_markup() -> None:
    reason = '"><script>alert(1)</script>'
    page = project_html("demo", [file(yanked=reason)])
    assert "<script>" not in page
    assert Anchors(page).found[0][1]["data-yanked"] == reason


def test_yanked_without_a_reason() -> None:
    assert json.loads(project_json("demo", [file(yanked="")]))["files"][0]["yanked"] is True
    assert 'data-yanked=""' in project_html("demo", [file(yanked="")])
    assert "yanked" not in project_html("demo", [file()])
    assert "yanked" not in json.loads(project_json("demo", [file()]))["files"][0]


def test_the_list_of_projects() -> None:
    anchors = Anchors(root_html(["demo", "demo-avx2"]))
    assert anchors.found == [("demo", {"href": "demo/"}), ("demo-avx2", {"href": "demo-avx2/"})]
    assert anchors.meta["pypi:repository-version"] == "1.3"


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        (WHEEL, "1.0"),
        ("demo-1.0-py3-none-any-avx2.whl", "1.0"),
        ("demo-1.0-7-py3-none-any-avx2.whl", "1.0"),
        ("demo-01.0.tar.gz", "1.0"),
        ("foo_bar-0.1.1.dev2026112401-variants.json", "0.1.1.dev2026112401"),
        ("foo-bar-1!2.0+cu12.tar.gz", "1!2.0+cu12"),
    ],
)
def test_the_version_of_a_file(filename: str, version: str) -> None:
    assert version_of(filename) == version


@pytest.mark.parametrize(
    "filename", ["", "demo", "demo-1.0.json", "demo-x-variants.json", "-variants.json", "demo-1.0.exe"]
)
def test_files_without_a_version(filename: str) -> None:
    with pytest.raises(IndexingError, match="is neither a wheel nor an sdist"):
        version_of(filename)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", '{"files": 1}', '{"files": [1]}', '{"files": [{}]}', '{"files": [{"filename": "a"}]}',
        '{"files": [{"filename": "a", "hashes": [], "size": 1}]}',
        '{"files": [{"filename": "a", "hashes": {"sha256": "b"}, "size": 1, "core-metadata": true}]}',
    ],
)  # fmt: skip
def test_a_damaged_page(text: str) -> None:
    with pytest.raises(IndexingError, match=r"A page of the index is damaged: .+\. Publish into a new place"):
        read_project(text)
