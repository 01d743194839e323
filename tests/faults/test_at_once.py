"""Two who write in one place: one after the other, and whoever waits, or gives up, says for whom."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index_reader import IndexReader, Watcher
from publications import Publisher, tiny_release, tree
from variantkit.lock_file import only_writer

if TYPE_CHECKING:
    from .conftest import Customer


@pytest.mark.parametrize("place", ["index", "build"])
def test_the_second_gives_up_and_says_who_is_at_work(
    place: str, released: Customer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/variantkit/__main__.py", "release", "--out", "some where"])
    index, build = tmp_path / "index", released.project / "build"
    words = ["index", released.dist] if place == "index" else ["release"]
    with only_writer(index if place == "index" else build):
        result = released.run(*words, "--out", index, "--no-wait", check=False)
    assert result.returncode == 2
    holder = index if place == "index" else build.resolve()
    assert f"error: {holder} is being written by process {os.getpid()} on " in result.stderr
    assert "(variantkit release --out 'some where'). Try again when it has finished." in result.stderr
    assert IndexReader(index).look() == {}
    assert not (holder / ".lock.json").exists()


def test_the_second_waits_and_says_for_whom(released: Customer, tmp_path: Path) -> None:
    index = tmp_path / "index"
    with contextlib.ExitStack() as ours:
        ours.enter_context(only_writer(index))
        with released.start("index", released.dist, "--out", index) as running:
            running.until(")\n")
            assert f"waiting: {index} is being written by process {os.getpid()} on " in running.said
            assert running.process.poll() is None
            assert IndexReader(index).look() == {}
            ours.close()
            assert running.end() == 0, running.said
    assert set(IndexReader(index).look()) == {"saxpy", "saxpy-fast-v2"}


def test_a_killed_holder_is_waited_for_by_nobody(publisher: Publisher, tmp_path: Path) -> None:
    index, wheels = tmp_path / "index", tiny_release(tmp_path, "1.0")
    ended = publisher.publish(index, wheels, die_at=20)
    assert ended.status == -9
    assert (index / ".lock.json").exists()
    assert publisher.publish(index, wheels, wait=False).status == 0


def test_two_releases_of_one_project_at_once(saxpy: Customer, released: Customer, tmp_path: Path) -> None:
    index = tmp_path / "index"
    start = ("release", "--out", index)
    with Watcher(index, pause=0.02), saxpy.start(*start) as one, saxpy.start(*start) as two:
        assert (one.end(), two.end()) == (0, 0), one.said + two.said
    first, second = (one, two) if "waiting: " in two.said else (two, one)
    assert "waiting: " not in first.said, first.said
    who = rf"written by (process {first.process.pid} on .* \(variantkit release .*\)|another process)"
    assert re.search(who, second.said), second.said
    assert "0 new, 6 unchanged" in second.said
    assert tree(saxpy.dist) == tree(released.dist)


def test_many_publications_in_one_index_at_once(tmp_path: Path) -> None:
    index = tmp_path / "index"
    releases = [tiny_release(tmp_path / str(number), f"1.{number}") for number in range(12)]
    with Watcher(index), Publisher.running() as one, Publisher.running() as two:
        with ThreadPoolExecutor(2) as both:
            jobs = [
                both.submit(lambda who, mine: [who.publish(index, each) for each in mine], who, releases[start::2])
                for start, who in enumerate((one, two))
            ]
        ended = [each for job in jobs for each in job.result()]
    assert [each.status for each in ended] == [0] * 12, ended
    names = {link.filename for link in IndexReader(index).look()["demo"]}
    assert names == {path.name for each in releases for path in each if path.name.startswith("demo-")} | {
        f"demo-1.{number}-variants.json" for number in range(12)
    }
