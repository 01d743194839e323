"""Words out of files, made fit for a terminal."""

from __future__ import annotations

__all__ = ["printable"]


def printable(line: str) -> str:
    r"""Return a line in which what a terminal would obey, and not show, is written as an escape: "\x1b", "\n".

    Names in an archive, symbols and paths can hold anything; printed as they are, they could take lines away or forge them.
    """
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
