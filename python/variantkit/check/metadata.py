"""METADATA and what stands in it: fields, requirements, and what they come to on a machine."""

from __future__ import annotations

import dataclasses
import email.parser
import email.policy
import functools
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from variantkit.errors import WheelError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Metadata", "active", "parse_metadata", "pinned", "requirement"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metadata:
    """The fields as they stand, in their order, with names in lower case; `body` is the description."""

    fields: tuple[tuple[str, str], ...]
    body: str

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of a field."""
        return tuple(value for key, value in self.fields if key == name.lower())

    def get(self, name: str) -> str | None:
        """Return the first value of a field."""
        return next(iter(self.all(name)), None)

    @functools.cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """The requirements that can be read."""
        parsed = (requirement(text) for text in self.all("Requires-Dist"))
        return tuple(each for each in parsed if each is not None)


@functools.lru_cache(maxsize=1024)
def parse_metadata(data: bytes) -> Metadata:
    """Parse METADATA or PKG-INFO; raise `WheelError`, whose message goes on after a file name, when it is not text."""
    try:
        message = email.parser.HeaderParser(policy=email.policy.compat32).parsestr(data.decode())
    except UnicodeDecodeError as error:
        msg = f"has metadata that is not text ({error}). Build it again."
        raise WheelError(msg) from error
    fields = tuple((name.lower(), str(value).strip()) for name, value in message.items())
    return Metadata(fields=fields, body=str(message.get_payload()))


@functools.lru_cache(maxsize=4096)
def requirement(text: str) -> Requirement | None:
    """Return a requirement, or None where it cannot be read."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def pinned(wanted: Requirement) -> str | None:
    """Return the version that a requirement asks for with `==`, alone and exactly, or None."""
    specifiers = list(wanted.specifier)
    if len(specifiers) == 1 and specifiers[0].operator == "==" and not specifiers[0].version.endswith(".*"):
        return specifiers[0].version
    return None


def active(metadata: Metadata, environment: dict[str, str], extra: str) -> Iterator[tuple[str, Requirement]]:
    """Return what an extra brings on a machine, by normalised name: what is required with it and not without."""
    for each in metadata.requirements:
        if each.marker is None or "extra" not in str(each.marker):
            continue
        if each.marker.evaluate({**environment, "extra": extra}) and not each.marker.evaluate(
            {**environment, "extra": ""}
        ):
            yield canonicalize_name(each.name), each
