"""Rules on a published index: what its pages say is true of the files, and both kinds of pages say the same."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from variantkit.attestations import provenance as read_provenance
from variantkit.check.contents import Contents, file_hash
from variantkit.check.model import table_key
from variantkit.check.registry import Problem, rule
from variantkit.errors import IndexingError, WheelError
from variantkit.pages import VARIANTS_SUFFIX
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from variantkit.check.contents import Sdist
    from variantkit.check.model import Files
    from variantkit.check.published import Listed, Page

__all__: list[str] = []

_PUBLISH = "Publish the release again with `variantkit index --replace`."


@rule(
    "VK701 pages",
    what="Each page is there and can be read, as HTML and as JSON, and the root pages list each project.",
    why="An installer that cannot read a page finds no release of the project, or of any.",
    mend=_PUBLISH,
    needs="index",
)
def _check_pages(files: Files) -> Iterator[Problem]:
    index = files.index
    if index is None:
        return
    yield from index.problems
    names = {page.project for page in index.pages}
    for root, file in ((index.root_json, "index.json"), (index.root_html, "index.html")):
        for name in sorted(names.symmetric_difference(root)) if root is not None else ():
            what = "lists" if name not in names else "does not list"
            yield Problem(
                index.folder / "simple" / file, f"it {what} {name}, which has {'a' if name in names else 'no'} page"
            )
    for name in sorted(name for name in names if canonicalize_name(name) != name):
        yield Problem(index.folder / "simple" / name, "installers ask for names in lower case with - only")


@rule(
    "VK702 listed-files",
    what="Each listed file is in the index, and has the hash and size that its page says.",
    why="An installer that downloads something else than the page says fails, or should.",
    mend=_PUBLISH,
    needs="index",
)
def _check_listed_files(files: Files) -> Iterator[Problem]:
    known = _known(files)
    for page, listed in _each(files):
        path = page.target(listed.url)
        if path is None:
            yield Problem(_page(page), f"{listed.filename} leads out of the index, to {listed.url}")
            continue
        if not path.is_file():
            yield Problem(_page(page), f"{listed.filename} is not there, at {listed.url}")
            continue
        if path.name != listed.filename:
            yield Problem(_page(page), f"{listed.filename} is called {path.name} at its address")
        wheel = known.get(path)
        digest = wheel.sha256 if wheel is not None else file_hash(path)
        if listed.sha256 is None:
            yield Problem(_page(page), f"{listed.filename} has no SHA-256 there")
        elif listed.sha256 != digest:
            yield Problem(path, f"it has the SHA-256 {digest}, and its page says {listed.sha256}")
        if page.files is not None and listed.size != path.stat().st_size:
            yield Problem(path, f"it has {path.stat().st_size} bytes, and its page says {listed.size}")


@rule(
    "VK703 metadata-beside-wheels",
    what="Each wheel has its METADATA beside it, to the byte, and the page has the hash of that (PEP 658, 714).",
    why="Installers resolve from this file and install the wheel; PEP 658 wants them to be equal to the byte.",
    mend=_PUBLISH,
    needs="index",
)
def _check_metadata_files(files: Files) -> Iterator[Problem]:
    known = _known(files)
    for page, listed in _each(files):
        path = page.target(listed.url)
        wheel = known.get(path) if path is not None else None
        if path is None or not isinstance(wheel, Contents):
            continue
        inside = wheel.texts[f"{wheel.dist_info}/METADATA"]
        try:
            beside = path.with_name(path.name + ".metadata").read_bytes()
        except OSError:
            yield Problem(path, "there is no .metadata beside it")
            continue
        if beside != inside:
            yield Problem(path, "the .metadata beside it is not the METADATA in it")
        if listed.core_metadata != hashlib.sha256(beside).hexdigest():
            yield Problem(path, "its page has another hash of the .metadata beside it, or none")


@rule(
    "VK704 requires-python",
    what="The Requires-Python on a page is that of the file.",
    why="Installers drop a file by what its page says, before they look into it.",
    mend=_PUBLISH,
    needs="index",
)
def _check_requires_python(files: Files) -> Iterator[Problem]:
    known = _known(files)
    for page, listed in _each(files):
        path = page.target(listed.url)
        file = known.get(path) if path is not None else None
        if file is None:
            continue
        inside = file.metadata.get("Requires-Python")
        if not _same_specifiers(inside or "", listed.requires_python or ""):
            yield Problem(file.path, f"it requires Python {inside}, and its page says {listed.requires_python}")


def _same_specifiers(one: str, two: str) -> bool:
    try:
        return one == two or SpecifierSet(one) == SpecifierSet(two)
    except InvalidSpecifier:
        return False


@rule(
    "VK705 html-and-json",
    what="The HTML page of a project says what its JSON page says.",
    why="Which of the two an installer reads is its own choice.",
    mend=_PUBLISH,
    needs="index",
)
def _check_html_and_json(files: Files) -> Iterator[Problem]:
    for page in files.index.pages if files.index is not None else ():
        if page.files is None or page.anchors is None:
            continue
        where = page.folder / "index.html"
        anchors = {anchor.filename: anchor for anchor in page.anchors}
        entries = {entry.filename: entry for entry in page.files}
        for name in sorted(anchors.keys() ^ entries.keys()):
            yield Problem(where, f"{name} is only on the {'HTML' if name in anchors else 'JSON'} page")
        for name in sorted(anchors.keys() & entries.keys()):
            anchor, entry = anchors[name], dataclasses.replace(entries[name], size=None)
            fields = dataclasses.asdict(entry)
            # A page without its size can only be the HTML one.
            for field in sorted(key for key, value in dataclasses.asdict(anchor).items() if fields[key] != value):
                yield Problem(where, f"{name} has another {field.replace('_', '-')} than on the JSON page")


@rule(
    "VK706 names-and-versions",
    what="Each file is on the page of its project, once, and the JSON page lists the versions of its files (PEP 700).",
    why="A file on the page of another project is never found, and installers may choose by the list of versions alone.",
    mend=_PUBLISH,
    needs="index",
)
def _check_names_and_versions(files: Files) -> Iterator[Problem]:
    for page in files.index.pages if files.index is not None else ():
        versions = set()
        seen = set()
        for listed in page.listed:
            release = _release(listed.filename)
            if release is None:
                yield Problem(_page(page), f"{listed.filename} is neither a wheel nor an sdist nor a file of variants")
                continue
            if release[0] != page.project:
                yield Problem(_page(page), f"{listed.filename} is a file of {release[0]}")
            if listed.filename in seen:
                yield Problem(_page(page), f"{listed.filename} is there twice")
            seen.add(listed.filename)
            versions.add(release[1])
        if page.files is None:
            continue
        if page.versions is None:
            yield Problem(_page(page), "it has no list of versions")
            continue
        said = {_version(text) for text in page.versions}
        for version in sorted(map(str, versions.symmetric_difference(said))):
            yield Problem(_page(page), f"its list of versions and its files differ in {version}")


@rule(
    "VK707 attestations",
    what="An attestation that a page names is there and is about that very file (PEP 740).",
    why="Whoever verifies where a file comes from needs the attestation that its page promises.",
    mend="Attest the file again and publish it, or publish it without.",
    needs="index",
)
def _check_attestations(files: Files) -> Iterator[Problem]:
    for page, listed in _each(files):
        path = page.target(listed.url)
        if listed.provenance is None or path is None or not path.is_file():
            continue
        place = page.target(listed.provenance)
        if place != path.with_name(path.name + ".provenance") or not place.is_file():
            yield Problem(path, f"its attestation is not there, at {listed.provenance}")
            continue
        try:
            read_provenance(path, file_hash(path))
        except (IndexingError, AttributeError, RecursionError) as error:
            yield Problem(path, str(error).partition(". ")[0] or "its attestation cannot be read")


def _each(files: Files) -> Iterator[tuple[Page, Listed]]:
    for page in files.index.pages if files.index is not None else ():
        for listed in page.listed:
            yield page, listed


def _known(files: Files) -> dict[Path, Contents | Sdist]:
    return {each.path: each for each in files.archives}


def _page(page: Page) -> Path:
    return page.folder / ("index.json" if page.files is not None else "index.html")


def _release(filename: str) -> tuple[str, Version] | None:
    try:
        if filename.endswith(VARIANTS_SUFFIX):
            return table_key(filename)
        if filename.endswith(".whl"):
            name = WheelName.parse(filename)
            return name.project, Version(name.version)
        project, version = parse_sdist_filename(filename)
    except (WheelError, InvalidSdistFilename, InvalidVersion):
        return None
    return canonicalize_name(project), version


def _version(text: str) -> Version | str:
    try:
        return Version(text)
    except InvalidVersion:
        return text
