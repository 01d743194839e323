"""Inputs that somebody has damaged: valid ones with a few edits, as bytes or in one place of a document.

A few hundred examples by default, the same ones each time; VARIANTKIT_FUZZ_EXAMPLES=100000 tries that many others.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["edited", "fuzz", "replaced", "values"]

_ASKED = os.environ.get("VARIANTKIT_FUZZ_EXAMPLES", "")

fuzz = settings(
    max_examples=int(_ASKED or 300),
    derandomize=not _ASKED,
    deadline=None,
    database=None,  # it would be written into the checkout
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)

# What readers stumble over, beside the words of their own format: ends, signs, lengths, nesting, other alphabets.
_WORDS = (
    b"", b"\0", b"\n", b"\r", b"\r\n", b" ", b":", b"=", b",", b"/", b"\\", b"..", b"../", b"-", b"-1", b"0", b"1e999",
    b"9" * 20, b"9" * 5000, b"[" * 3000, b"{" * 3000, b'"', b"\xff", b"\xfe\xff", b"\xc3\xa9", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    "²".encode(), "٣".encode(), "\u2028".encode(), "\x85".encode(), b"a" * 70_000, b"\x00\x00\x00\x00", b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
)  # fmt: skip


@st.composite
def edited(draw: st.DrawFn, seeds: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """One of the valid inputs after up to five edits; `words` are those of the format."""
    data = bytearray(draw(st.sampled_from(seeds)))
    pieces = st.sampled_from((*words, *_WORDS)) | st.binary(max_size=8)
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        end = min(start + draw(st.sampled_from((0, 1, 1, 2, 4, 8, 30, 1 << 20))), len(data))
        edit = draw(st.sampled_from(("replace", "flip", "take", "repeat")))
        if edit == "replace":
            data[start:end] = draw(pieces)
        elif edit == "flip" and start < len(data):
            data[start] ^= 1 << draw(st.integers(0, 7))
        elif edit == "take":
            other = draw(st.sampled_from(seeds))
            place = draw(st.integers(0, len(other)))
            data[start:end] = other[place : place + draw(st.sampled_from((1, 4, 30, 200)))]
        elif edit == "repeat":
            data[start:start] = data[start:end] * 2
    return bytes(data)


values = st.recursive(
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["", ".", "..", "/", "-", "x" * 300, "é", "²", "\0", "1.0", "linux-x86_64", "cpu", "avx2", "generic"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def replaced(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document with other values, or none, or more, in one place or two."""
    changed: dict[str, Any] = _copy(document)
    for _ in range(draw(st.integers(1, 2))):
        parent, key = draw(st.sampled_from(list(_places(changed))))
        edit = draw(st.sampled_from(("replace", "remove", "add", "move")))
        if edit == "replace":
            parent[key] = draw(values)
        elif edit == "remove":
            del parent[key]
        elif edit == "add" and isinstance(parent, dict):
            parent[draw(st.text(max_size=8))] = draw(values)
        elif edit == "add":
            parent.append(draw(values))
        else:
            other, name = draw(st.sampled_from(list(_places(changed))))
            parent[key] = _copy(other[name])
    return changed


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a document as its parent and its key; a document that is empty has one."""
    items = list(document.items()) if isinstance(document, dict) else list(enumerate(document))
    if not items and isinstance(document, dict):
        document["empty"] = 0
        yield document, "empty"
    for key, value in items:
        yield document, key
        if isinstance(value, dict | list) and value:
            yield from _places(value)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value
