"""Ready-made lines: what to type, or to write where, so that a tool installs a distribution with one of its classifiers.

Two questions are answered for each tool, by what its users expect and by what is safe.

**Which version?** A command that is typed once (pip, `uv pip`) names none, because whoever types it wants the newest. A
project (uv, Poetry, PDM, Hatch, Pixi) names the compatible ones, `~=`: its lock file keeps the exact one, and updating
that takes repairs and no surprises. What has to be the same on another day without a lock file (requirements files,
conda's environment files, images) names exactly one, `==`. So does everything for a version that is no final release,
because tools pass over such versions unless they are asked for.

**Which index?** Where an index is given, what is published there must be taken from there and from nowhere else. pip's
`--extra-index-url` does not say that: pip takes the highest version from any index, so that whoever registers the name
elsewhere is installed ("dependency confusion"). Each tool gets the words that it has against this; where it has none, a
comment says what helps.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from variantkit._record import Record
from variantkit.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from variantkit.catalogue import Catalogue

__all__ = ["TOOLS", "conflicts", "lines"]

_FINAL = re.compile(r"[0-9]+(\.[0-9]+)*")


def lines(
    tool: str,
    *,
    distribution: str,
    version: str,
    extra: str | None,
    index: str | None = None,
    variants: bool = False,
    companions: Sequence[str] = ("variantkit",),
) -> str:
    """Return the lines for one tool, without a newline at the end.

    `extra` is a classifier, or None for the base alone; an image runs on other machines than the one it is built on, and
    gets all of them. `index` is the address of the simple repository that has the wheels, in any text; None means what
    the tool is set up with. `companions` are what else comes from there. `variants` says that the tool chooses among
    variant wheels by itself, as uv can, so that no extra is needed.

    Raises `ToolError` for a tool that is not in `TOOLS`, and for one that cannot choose among variant wheels.
    """
    if tool not in _TOOLS:
        msg = f"There are no lines for {tool!r}. Choose one of: {', '.join(TOOLS)}."
        raise ToolError(msg)
    if variants and tool != "uv":
        msg = f"{tool} does not choose among variant wheels. Ask for the lines without variants, or for uv's."
        raise ToolError(msg)
    wanted = _Wanted(
        distribution=distribution,
        version=version,
        extra=None if variants else extra,
        index=index,
        companions=tuple(companions),
    )
    return "\n".join(_uv_variants(wanted) if variants else _TOOLS[tool](wanted))


class _Wanted(Record):
    distribution: str
    version: str
    extra: str | None
    index: str | None
    companions: tuple[str, ...]

    @property
    def final(self) -> bool:
        """Whether tools take this version without being asked for it by name."""
        return _FINAL.fullmatch(self.version) is not None

    @property
    def name(self) -> str:
        return f"{self.distribution}[{self.extra}]" if self.extra else self.distribution

    @property
    def newest(self) -> str:
        """The requirement of a command."""
        return self.name if self.final else self.exactly

    @property
    def compatible(self) -> str:
        """The requirement of a project."""
        return f"{self.name}{self.range}"

    @property
    def range(self) -> str:
        # `~=1` is not allowed: it would mean every version.
        return f"~={self.version}{'' if '.' in self.version else '.0'}" if self.final else f"=={self.version}"

    @property
    def exactly(self) -> str:
        """The requirement of what has to be the same on another day."""
        return f"{self.name}=={self.version}"

    @property
    def others(self) -> tuple[str, ...]:
        """What else is published beside the distribution, and needed."""
        return (*((f"{self.distribution}-{self.extra}",) if self.extra else ()), *self.companions)


def _pip(wanted: _Wanted) -> list[str]:
    if wanted.index is None:
        return ["# shell", f'python -m pip install "{wanted.newest}"']
    names = " ".join([wanted.distribution, *wanted.others])
    early = "" if wanted.final else "--pre "
    return [
        "# shell: the first line takes from that index what is published there, the second one the rest from yours",
        f'python -m pip install {early}--no-deps --index-url "{wanted.index}" {names}',
        f'python -m pip install "{wanted.name}"',
    ]


def _requirements(wanted: _Wanted) -> list[str]:
    if wanted.index is None:
        return ["# requirements.txt", wanted.exactly]
    return [
        "# requirements.txt: pip takes the highest version from any index; uv pip compile --generate-hashes pins the files",
        f"--extra-index-url {wanted.index}",
        wanted.exactly,
    ]


def _uv(wanted: _Wanted) -> list[str]:
    found = _project(wanted)
    if wanted.index is not None:
        found += [
            "",
            "[[tool.uv.index]]",
            f'name = "{wanted.distribution}"',
            f'url = "{wanted.index}"',
            "explicit = true",
        ]
        found += ["", "[tool.uv.sources]"]
        found += [f'{name} = {{ index = "{wanted.distribution}" }}' for name in (wanted.distribution, *wanted.others)]
    return found


def _uv_variants(wanted: _Wanted) -> list[str]:
    index = "" if wanted.index is None else f' --index "{wanted.index}"'
    early = "" if wanted.final else " --prerelease allow"
    return ["# shell", f'uv pip install --preview-features wheel-variants{early}{index} "{wanted.newest}"']


def _poetry(wanted: _Wanted) -> list[str]:
    found = _project(wanted)
    if wanted.index is not None:
        name = wanted.distribution
        found += ["", "[[tool.poetry.source]]", f'name = "{name}"', f'url = "{wanted.index}"', 'priority = "explicit"']
        found += ["", "[tool.poetry.dependencies]"]
        found += [f'{each} = {{ source = "{name}" }}' for each in (name, *wanted.others)]
    return found


def _pdm(wanted: _Wanted) -> list[str]:
    found = _project(wanted)
    if wanted.index is not None:
        names = ", ".join(f'"{name}"' for name in (wanted.distribution, *wanted.others))
        found += ["", "[[tool.pdm.source]]", f'name = "{wanted.distribution}"', f'url = "{wanted.index}"']
        found += [f"include_packages = [{names}]"]
    return found


def _hatch(wanted: _Wanted) -> list[str]:
    found = _project(wanted)
    if wanted.index is not None:
        found += ["", "[tool.hatch.envs.default]", 'installer = "uv"']
        found += ["", "[tool.hatch.envs.default.env-vars]", f'UV_INDEX = "{wanted.index}"']
    return found


def _project(wanted: _Wanted) -> list[str]:
    return ["# pyproject.toml", "[project]", "dependencies = [", f'    "{wanted.compatible}",', "]"]


def _pixi(wanted: _Wanted) -> list[str]:
    extras = f', extras = ["{wanted.extra}"]' if wanted.extra else ""
    found = ["# pixi.toml", "[pypi-dependencies]"]
    found += [f'{wanted.distribution} = {{ version = "{wanted.range}"{extras} }}']
    if wanted.index is not None:
        found += ["", "[pypi-options]", f'extra-index-urls = ["{wanted.index}"]', 'index-strategy = "first-index"']
    return found


def _conda(wanted: _Wanted) -> list[str]:
    found = ["# environment.yml: there is no conda package; pip installs the wheels inside the environment"]
    found += ["dependencies:", "  - python", "  - pip", "  - pip:"]
    if wanted.index is not None:
        found.append(f"      - --extra-index-url {wanted.index}")
    return [*found, f"      - {wanted.exactly}"]


def _docker(wanted: _Wanted) -> list[str]:
    everything = wanted.replace(extra="all").exactly
    found = ["# Dockerfile: with all classifiers, because an image runs on other machines than the one it is built on"]
    if wanted.index is None:
        return [*found, f'RUN python -m pip install --no-cache-dir "{everything}"']
    return [
        *found,
        "RUN python -m pip install --no-cache-dir uv \\",
        f' && python -m uv pip install --system --no-cache --index "{wanted.index}" "{everything}"',
    ]


_TOOLS = {
    "pip": _pip,
    "uv": _uv,
    "poetry": _poetry,
    "pdm": _pdm,
    "hatch": _hatch,
    "pixi": _pixi,
    "conda": _conda,
    "docker": _docker,
    "requirements": _requirements,
}

TOOLS: tuple[str, ...] = tuple(_TOOLS)
"""The tools there are lines for."""


def conflicts(catalogue: Catalogue) -> str:
    """Return what a uv project has to say where extras of the catalogue exclude one another, or an empty string.

    Extras for the CPU add up: the best one is loaded. Those for other devices are made for a version of what drives the
    device, `cuda-12`, and two versions bring libraries that cannot be installed beside each other.
    """
    groups: dict[str, dict[str, list[str]]] = {}
    for row in catalogue.classifiers:
        made_for = re.match(rf"{re.escape(row.device)}-([0-9.]+)", row.name)
        if row.device != "cpu" and made_for:
            groups.setdefault(row.device, {}).setdefault(made_for[1], []).append(row.name)
    pairs = [
        pair
        for versions in groups.values()
        for one, two in itertools.combinations(versions.values(), 2)
        for pair in itertools.product(one, two)
    ]
    return _uv_conflicts(catalogue, pairs) if pairs else ""


def _uv_conflicts(catalogue: Catalogue, pairs: Iterable[tuple[str, str]]) -> str:
    pairs = list(pairs)
    names = dict.fromkeys(name for pair in pairs for name in pair)
    found = ["# pyproject.toml: as extras of your project", "[project.optional-dependencies]"]
    found += [f'{name} = ["{catalogue.distribution}[{name}]"]' for name in names]
    found += ["", "[tool.uv]", "conflicts = ["]
    found += [f'    [{{ extra = "{one}" }}, {{ extra = "{two}" }}],' for one, two in pairs]
    return "\n".join([*found, "]"])
