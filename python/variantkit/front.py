"""The front page of a repository: what is published, for people.

What a matrix says of a release is kept in `releases.json` beside the pages, so that a later publication, with another
matrix, does not change what is said of an earlier release.
"""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from variantkit.matrix import Matrix
    from variantkit.pages import File

__all__ = ["render"]

_RELEASES = "releases.json"


def render(before: Path, matrix: Matrix | None, projects: dict[str, list[File]]) -> dict[str, str]:
    """Return the front page and what it is made from, by file name; `before` has the pages published until now."""
    links = "\n".join(
        f'<li><a href="simple/{html.escape(name)}/">{html.escape(name)}</a></li>' for name in sorted(projects)
    )
    page = f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>Package index</title><ul>\n{links}\n</ul></html>\n'
    return {"index.html": page}
