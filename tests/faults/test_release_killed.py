"""Whole releases of the second customer that are killed in each of their steps, beside a reader of the index."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from index_reader import IndexReader, Watcher
from publications import SEED, tree

if TYPE_CHECKING:
    from .conftest import Customer

STEPS = ("kernels for fast-v2", "kernels for sse2", "base wheel", "sdist", "repair", "assemble", "check", "publish")

KILLS = 8
"""For each of three releases; with those of `test_publish_killed.py`, that makes 200."""


def first(customer: Customer) -> list[str]:
    return []


def another_version(customer: Customer) -> list[str]:
    customer.edit("pyproject.toml", '"1.2.3"', '"1.2.4"')
    customer.run("matrix", "--write")
    return []


def another_content(customer: Customer) -> list[str]:
    customer.edit("saxpy.cpp", "y[i] += a * x[i]", "y[i] = a * x[i] + y[i] + 0")
    customer.edit("README.md", "the fastest library", "the best library")
    return ["--replace"]


def test_killed_in_each_step_while_a_reader_looks(saxpy: Customer, tmp_path: Path) -> None:
    moments = random.Random(SEED)  # noqa: S311 -- moments, no secrets
    index, sources = tmp_path / "index", tmp_path / "sources"
    shutil.copytree(saxpy.project, sources)
    stories = (first, another_version, another_content)
    undisturbed, usual = [], {}
    for story in stories:
        said = saxpy.run("release", "--out", index, *story(saxpy)).stderr
        usual |= {step: float(seconds) for step, seconds in re.findall(r"\] (\w[^\n]*?) +(\d+\.\d) s ", said)}
        undisturbed.append((tree(saxpy.dist), IndexReader(index).look()))
    shutil.rmtree(index)
    shutil.rmtree(saxpy.project)
    shutil.copytree(sources, saxpy.project)

    index.mkdir()
    with Watcher(index, pause=0.02) as watcher:
        for story, (dist, pages) in zip(stories, undisturbed, strict=True):
            command = ["--out", index, *story(saxpy)]
            kills = attempts = 0
            while kills < KILLS:
                step = STEPS[min(attempts, len(STEPS) - 1)]
                attempts += 1
                assert attempts < 4 * KILLS, f"{kills} kills only"
                # What is quick is not killed at its end, where nothing is left to do.
                delay = moments.uniform(0, max(usual[name] for name in usual if name.startswith(step)))
                context = f"seed {SEED}, {story.__name__}, killed {delay:.3f} s after the beginning of {step!r}"
                with saxpy.start("release", *command) as running:
                    running.until(f"] {step}")
                    time.sleep(delay)
                    running.send(signal.SIGKILL)
                    status = running.end()
                kills += status == -signal.SIGKILL
                assert status in {0, -signal.SIGKILL}, f"{context}: {running.said}"
                assert "error" not in running.said, f"{context}: {running.said}"
                assert_nothing_runs_in(saxpy.project, context)
                watcher.settle()
            result = saxpy.run("release", *command, check=False)
            assert result.returncode == 0, f"seed {SEED}, {story.__name__}: {result.stderr}"
            watcher.settle()
            assert tree(saxpy.dist) == dist
            assert IndexReader(index).look() == pages
            assert leftovers(saxpy.project / "build") == []
            assert leftovers(index) == []
    assert watcher.rounds > 3 * KILLS


def assert_nothing_runs_in(project: Path, context: str) -> None:
    """Wait until all that a killed release has started is gone: it would write into the build tree of the next one."""
    deadline = time.monotonic() + 10
    while running := [words for words in _commands() if str(project) in words]:
        assert time.monotonic() < deadline, f"{context}: {running} is still at work"
        time.sleep(0.01)


def _commands() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def leftovers(folder: Path) -> list[Path]:
    """Return what only a release that is at work has."""
    patterns = ("*.partial", ".building-*", ".lock.json*", "repairing/*", ".incoming", "*.link")
    return [path for pattern in patterns for path in folder.rglob(pattern)]
