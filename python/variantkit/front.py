"""The front page of a repository: what is published, for people.

What a matrix says of a release is kept in `releases.json` beside the pages, so that a later publication, with another
matrix, does not change what is said of an earlier release. Everything else on the page is read from the repository.
"""

from __future__ import annotations

import email.parser
import html
import json
from typing import TYPE_CHECKING, Any, TypeAlias

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from variantkit.pages import version_of
from variantkit.platforms import systems
from variantkit.wheel import WheelName

if TYPE_CHECKING:
    from collections.abc import Collection
    from email.message import Message
    from pathlib import Path

    from variantkit.matrix import Matrix
    from variantkit.pages import File
    from variantkit.selector import Page, Release

__all__ = ["render"]

_RELEASES = "releases.json"

# The wheels of each project and version.
_Wheels: TypeAlias = "dict[tuple[str, str], list[tuple[WheelName, File]]]"


def render(
    before: Path, projects: dict[str, list[File]], matrix: Matrix | None = None, versions: Collection[str] = ()
) -> dict[str, str]:
    """Return the front page and what it is made from, by file name.

    `before` has the pages until now, `projects` all that is published; `matrix` describes the `versions` that are new.
    """
    try:
        known: dict[str, Any] = json.loads((before / _RELEASES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if matrix is not None:
        described = {version: _describe(matrix) for version in versions}
        name = canonicalize_name(matrix.project.distribution)
        known = {"distribution": matrix.project.distribution, "releases": {**known.get("releases", {}), **described}}
        published = {version_of(file.filename) for file in projects.get(name, [])}
        known["releases"] = {
            version: known["releases"][version] for version in sorted(known["releases"]) if version in published
        }
    if not known.get("releases"):
        return {"index.html": _plain(sorted(projects))}
    from variantkit import selector

    page = _page(before.parent, known["distribution"], known["releases"], projects)
    return {"index.html": selector.render(page), _RELEASES: json.dumps(known, indent=1) + "\n"}


def _plain(names: list[str]) -> str:
    links = "\n".join(f'<li><a href="simple/{html.escape(name)}/">{html.escape(name)}</a></li>' for name in names)
    head = '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Package index</title></head>'
    return f"{head}<body><ul>\n{links}\n</ul></body></html>\n"


def _describe(matrix: Matrix) -> dict[str, Any]:
    """Return what the page says of each classifier, as it is kept."""
    rows = [
        {
            "name": row.name,
            "label": row.label,
            "summary": row.summary,
            "device": row.device,
            "level": row.level,
            "rank": row.rank,
            "features": sorted(row.features),
            "platforms": list(row.platforms),
        }
        for row in matrix.rows
    ]
    return {"base": matrix.project.base, "classifiers": rows}


def _page(folder: Path, distribution: str, releases: dict[str, Any], projects: dict[str, list[File]]) -> Page:
    from variantkit.selector import Page

    name = canonicalize_name(distribution)
    family = {name, *(f"{name}-{row['name']}" for facts in releases.values() for row in facts["classifiers"])}
    others = tuple(sorted(projects.keys() - family))
    newest_first = sorted(releases, key=Version, reverse=True)
    metadata = _metadata(folder, projects[name], newest_first[0])
    required = {canonicalize_name(Requirement(text).name) for text in metadata.get_all("Requires-Dist", [])}
    wheels: _Wheels = {}
    for project in family:
        for file in projects.get(project, []):
            if file.filename.endswith(".whl"):
                pair = (WheelName.parse(file.filename), file)
                wheels.setdefault((project, version_of(file.filename)), []).append(pair)
    return Page(
        distribution=distribution,
        summary=metadata.get("Summary", ""),
        releases=tuple(_release(name, version, releases[version], wheels) for version in newest_first),
        companions=tuple(other for other in others if other in required),
        others=others,
    )


def _metadata(folder: Path, files: list[File], version: str) -> Message:
    """Return the metadata of a release, which lie beside each of its wheels."""
    wheels = (file for file in files if file.core_metadata and version_of(file.filename) == version)
    place = next((file.place for file in wheels), None)
    data = (folder / f"{place}.metadata").read_bytes() if place else b""
    return email.parser.BytesParser().parsebytes(data)


def _release(name: str, version: str, facts: dict[str, Any], wheels: _Wheels) -> Release:
    from variantkit.selector import Entry, Release

    own = wheels.get((name, version), [])
    labels = {wheel.label for wheel, _ in own}
    entries = []
    for row in facts["classifiers"]:
        is_base = row["name"] == facts["base"]
        mine = (
            [pair for pair in own if not pair[0].label]
            if is_base
            else wheels.get((f"{name}-{row['name']}", version), [])
        )
        # Base wheels differ a little by their Python; the largest is what one has to reckon with.
        sizes: dict[str, int] = {}
        for wheel, file in mine:
            for platform in systems(wheel.platform):
                sizes[platform] = max(file.size, sizes.get(platform, 0))
        entries.append(
            Entry(
                name=row["name"],
                summary=row["summary"],
                device=row["device"],
                level=row["level"],
                rank=row["rank"],
                platforms=tuple(platform for platform in row["platforms"] if platform in sizes),
                features=tuple(row["features"]),
                base=is_base,
                label=row["label"] if row["label"] in labels else None,
                sizes=sizes,
            )
        )
    abis = dict.fromkeys(
        f"{wheel.python}-{wheel.abi}" if wheel.abi == "abi3" else wheel.abi for wheel, _ in own if not wheel.label
    )
    yanked = [file.yanked for _, file in own]
    return Release(
        version=version,
        classifiers=tuple(entry for entry in entries if entry.sizes),
        abis=tuple(abis),
        snapshot=Version(version).is_devrelease,
        yanked=yanked[0] if yanked and None not in yanked else None,
    )
