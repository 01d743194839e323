"""Variants that this project does not build yet, and how uv ranks them: for a GPU, and for a choice of software.

Their wheels are the one of avx2 under another name; all the rest is real: the matrix, the assembly, the index, uv.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from environments import Environment
from index_server import serve_index
from machines import Uv, installed_label, loaded_here
from releases import Release, Tool

FORCED = ("NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION", "NV_VARIANT_PROVIDER_FORCE_SM_ARCH")


def stand_in(wheel: Path, classifier: str, row: str, folder: Path) -> Path:
    """Write the wheel of a classifier that is not built yet: another one's files, its name and its row."""
    from variantkit.wheel import Wheel, write_wheel

    source = Wheel(wheel)
    label = classifier.replace("-", "_")
    names = [("ndkernels_avx2", f"ndkernels_{label}"), ("ndkernels-avx2", f"ndkernels-{classifier}")]
    entries = {}
    for name, entry in source.entries.items():
        data = entry.data
        if not name.endswith(".so"):
            text = data.decode()
            for old, new in names:
                text = text.replace(old, new)
            if name.endswith("/MANIFEST"):
                text = re.sub(r"(?m)^Classifier: .*$", f"Classifier: {classifier}", text)
                text = re.sub(r"(?m)^Row: .*$", f"Row: {row}", text)
            data = text.encode()
        entries[name.replace(*names[0])] = dataclasses.replace(entry, data=data)
    path = folder / wheel.name.replace(*names[0])
    write_wheel(path, entries, source.dist_info.replace(*names[0]), source.time)
    assert Wheel(path).defects() == []
    return path


class MadeUp:
    """A release with rows beyond those of the project, made and published by the project's own commands."""

    def __init__(self, root: Path, release: Release, run_tool: Tool, folder: Path, ranks: dict[str, int]) -> None:
        from variantkit.generate import row_digest
        from variantkit.matrix import read_matrix

        rows = (root / "tests" / "data" / "made-up-classifiers.toml").read_text(encoding="utf-8")
        for name, rank in ranks.items():
            rows, count = re.subn(rf'(?s)(name = "{name}".*?\nrank = )\d+', rf"\g<1>{rank}", rows, count=1)
            assert count == 1
        folder.mkdir()
        text = (root / "classifiers.toml").read_text(encoding="utf-8")
        (folder / "classifiers.toml").write_text(f"{text}\n{rows}", encoding="utf-8")
        shutil.copy2(root / "pyproject.toml", folder)
        matrix = read_matrix(folder)
        made = re.findall(r'(?m)^name = "(.*)"', rows)
        source = release.wheel("ndkernels_avx2")
        stand_ins = [stand_in(source, name, row_digest(matrix.row(name)), folder) for name in made]
        base, variantkit = release.wheel("ndkernels"), release.wheel("variantkit")
        built = [base, source, release.wheel("ndkernels_avx512"), *stand_ins]
        run_tool("tools.assemble", "--root", folder, *built, "--out", folder / "dist")
        run_tool("tools.index", "--root", folder, "--out", folder / "index", variantkit, *built, folder / "dist")
        self.index = folder / "index"
        (described,) = (folder / "dist").glob("*-variants.json")
        self.namespaces = json.loads(described.read_text())["default-priorities"]["namespace"]


@pytest.fixture(scope="module")
def made_up(
    root: Path, release: Release, run_tool: Tool, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., MadeUp]:
    """Give the release with these ranks; made once."""
    known: dict[str, MadeUp] = {}

    def of(**ranks: int) -> MadeUp:
        key = repr(ranks)
        if key not in known:
            folder = tmp_path_factory.mktemp("made-up") / "release"
            wanted = {name.replace("_", "-"): rank for name, rank in ranks.items()}
            known[key] = MadeUp(root, release, run_tool, folder, wanted)
        return known[key]

    return of


def chosen(environment: Environment, uv: Uv, index: Path, **environ: str) -> str | None:
    with serve_index(index, negotiate=True) as server:
        result = uv.install(environment, "--default-index", server.simple, "ndkernels", variants=True, **environ)
    assert "warning" not in result.stderr
    return installed_label(environment)


@pytest.mark.parametrize(
    ("driver", "level", "expected"),
    [
        ("13.0", "x86-64-v2", "cuda_13"),
        ("13.0", "x86-64-v4", "cuda_13"),
        ("13.1", "x86-64-v3", "cuda_13"),
        ("12.4", "x86-64-v3", "dnnl_avx2"),
        ("12.9", "x86-64-v4", "avx512"),
        ("12.9", "x86-64-v2", "null"),
    ],
)
def test_the_driver_decides_whether_the_variant_for_cuda_is_taken(
    fresh_environment: Environment, made_up: Callable[..., MadeUp], uv_on: Callable[[str], Uv], driver: str, level: str,
    expected: str,
) -> None:  # fmt: skip
    environ = dict(zip(FORCED, (driver, "9.0"), strict=True))
    assert chosen(fresh_environment, uv_on(level), made_up().index, **environ) == expected
    # Whatever was chosen, a base classifier is in it that runs everywhere.
    assert loaded_here(fresh_environment, uv_on("x86-64-v2").machine)["classifier"] == "generic"


def test_without_a_gpu_the_variant_for_cuda_is_passed_over(
    fresh_environment: Environment, made_up: Callable[..., MadeUp], uv_on: Callable[[str], Uv]
) -> None:
    assert not Path("/proc/driver/nvidia/version").exists(), "this machine has a GPU, and uv would use it"
    assert chosen(fresh_environment, uv_on("x86-64-v4"), made_up().index) == "avx512"


@pytest.mark.parametrize(
    ("rank", "level", "expected", "namespaces"),
    [
        (25, "x86-64-v2", "null", ["nvidia", "x86_64", "dnnlib"]),
        (25, "x86-64-v3", "dnnl_avx2", ["nvidia", "x86_64", "dnnlib"]),
        (25, "x86-64-v4", "avx512", ["nvidia", "x86_64", "dnnlib"]),
        # A choice of software that is better than a higher level: its namespace goes first.
        (35, "x86-64-v3", "dnnl_avx2", ["nvidia", "dnnlib", "x86_64"]),
        (35, "x86-64-v4", "dnnl_avx2", ["nvidia", "dnnlib", "x86_64"]),
        # One that is worse than the same level without it: no order of namespaces says that.
        (15, "x86-64-v3", "avx2", ["priority", "dnnlib", "nvidia", "x86_64"]),
        (15, "x86-64-v4", "avx512", ["priority", "dnnlib", "nvidia", "x86_64"]),
    ],
)
def test_a_choice_of_software_is_taken_as_its_rank_says(
    fresh_environment: Environment, made_up: Callable[..., MadeUp], uv_on: Callable[[str], Uv], rank: int, level: str,
    expected: str, namespaces: list[str],
) -> None:  # fmt: skip
    release = made_up(dnnl_avx2=rank)
    assert release.namespaces == namespaces
    assert chosen(fresh_environment, uv_on(level), release.index) == expected
