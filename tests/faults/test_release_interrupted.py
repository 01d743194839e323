"""Ctrl-C in each step of a release: it says so, nothing is half, and the next one goes on."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from index_reader import IndexReader
from publications import SEED, tree
from variantkit.lock_file import only_writer

if TYPE_CHECKING:
    from .conftest import Customer

STEPS = (
    "classifiers.toml",
    "kernels for fast-v2",
    "kernels for sse2",
    "base wheel",
    "sdist",
    "repair",
    "assemble",
    "check",
    "publish",
)
QUICK = {"classifiers.toml", "assemble", "publish"}


def test_ctrl_c_in_each_step(saxpy: Customer, released: Customer, tmp_path: Path) -> None:
    index = tmp_path / "index"
    reader = IndexReader(index)
    moments = random.Random(SEED)  # noqa: S311 -- moments, no secrets
    finished: set[str] = set()
    for step in STEPS:
        with saxpy.start("release", "--out", index) as running:
            running.until(f"] {step}")
            if step not in QUICK:
                time.sleep(moments.uniform(0, 0.5))
            running.send(signal.SIGINT)
            status = running.end()
        assert status == 130, f"seed {SEED}, interrupted in {step!r}: {running.said}"
        last = running.said.splitlines()[-1]
        assert last == "interrupted; nothing is left half-done, and what was finished is kept", running.said
        assert "Traceback" not in running.said, running.said
        assert reader.look() == {}, "half a release was published"
        # Whatever is in `dist` is whole: it is what an undisturbed release has.
        whole = tree(saxpy.dist).items() if saxpy.dist.is_dir() else set()
        assert whole <= tree(released.dist).items(), step
        assert finished <= {name for name, _ in whole}, f"interrupted in {step!r}, it has lost what was finished"
        finished = {name for name, _ in whole}
        assert [path for path in (saxpy.project / "build").rglob(".*") if path.name.endswith(".partial")] == []
        assert not list(saxpy.project.glob("build/wheels/*/.building-*"))

    result = saxpy.run("release", "--out", index)
    assert result.stderr.count("unchanged") >= 4, result.stderr
    assert tree(saxpy.dist) == tree(released.dist)
    assert set(reader.look()) == {"saxpy", "saxpy-fast-v2"}


def test_ctrl_c_while_it_waits_for_another(released: Customer, tmp_path: Path) -> None:
    with (
        only_writer(tmp_path / "index"),
        released.start("index", released.dist, "--out", tmp_path / "index") as running,
    ):
        running.until("waiting: ")
        running.send(signal.SIGINT)
        assert running.end() == 130, running.said
    assert "Traceback" not in running.said
    assert IndexReader(tmp_path / "index").look() == {}
