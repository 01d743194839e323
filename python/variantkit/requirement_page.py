"""A page of documentation whose blocks are ready-made lines, so that it shows what the command prints.

Above a block stands `<!-- lines: TOOL KEY=VALUE… -->`, with the keys `extra` (`none` is the base alone), `index`, `version`
and `variants=yes`.
"""

from __future__ import annotations

import re

from variantkit.errors import ToolError
from variantkit.requirement_lines import lines

__all__ = ["refresh"]

_BLOCK = re.compile(r"(?P<head><!-- lines: (?P<words>[^\n]+) -->\n```[a-z]*\n)(?P<text>.*?)(?P<end>\n```\n)", re.DOTALL)


def refresh(page: str, *, distribution: str, version: str, extra: str) -> str:
    """Return the page with each block as `requirement_lines.lines` has it.

    `version` and `extra` are meant where a block names none. Raises `ToolError` for a tool or key that is not known.
    """

    def block(found: re.Match[str]) -> str:
        tool, *words = found["words"].split()
        given = dict(word.partition("=")[::2] for word in words)
        chosen = given.pop("extra", extra)
        text = lines(
            tool,
            distribution=distribution,
            version=given.pop("version", version),
            extra=None if chosen == "none" else chosen,
            index=given.pop("index", None),
            variants=given.pop("variants", "no") == "yes",
        )
        if given:
            msg = f"The block {found['words']!r} has the unknown key {min(given)!r}. Known: extra, index, version, variants."
            raise ToolError(msg)
        return found["head"] + text + found["end"]

    return _BLOCK.sub(block, page)
