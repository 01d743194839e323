"""Which Python builds what is for no Python in particular, and what it needs for that."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from variantkit import build
from variantkit.build import Builder
from variantkit.cibuildwheel import ContainerBuilder
from variantkit.environments import BuildEnvironment
from variantkit.interpreters import Interpreter
from variantkit.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
FREE = Interpreter(executable=Path("free"), version=(3, 13), free_threaded=True)
USUAL = Interpreter(executable=Path("usual"), version=(3, 12), free_threaded=False)
OTHER = Interpreter(executable=Path("other"), version=(3, 11), free_threaded=False)


@pytest.mark.parametrize(
    ("kind", "chosen", "there", "tool"),
    [
        (Builder, [USUAL, FREE], [], USUAL),
        (Builder, [FREE, USUAL], [OTHER], USUAL),
        (Builder, [FREE], [FREE, OTHER], OTHER),
        (Builder, [FREE], [FREE], FREE),
        (ContainerBuilder, [FREE], [OTHER], FREE),  # those of this machine are not in the image
        (ContainerBuilder, [FREE, USUAL], [OTHER], USUAL),
    ],
)
def test_it_is_not_free_threaded_where_there_is_another(
    kind: type[Builder],
    chosen: list[Interpreter],
    there: list[Interpreter],
    tool: Interpreter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no jsonschema for the free-threaded 3.13: rpds-py, which it stands on, has no wheel for it."""
    monkeypatch.setattr(build, "find_interpreters", lambda: there)
    builder = kind(root=ROOT, out=tmp_path, progress=Progress(1, io.StringIO()))
    assert builder.tool(chosen) == tool


def test_a_base_wheel_needs_less(tmp_path: Path) -> None:
    for_base = BuildEnvironment(tmp_path, FREE.executable, ["nanobind"]).requires
    for_classifiers = BuildEnvironment(tmp_path, USUAL.executable, ["nanobind"], classifiers=True).requires
    assert {each.partition(">")[0] for each in for_base} == {"build", "cmake", "nanobind", "ninja", "tomli"}
    assert set(for_classifiers) - set(for_base) == {"jsonschema>=4.20", "tomli-w>=1.1"}
