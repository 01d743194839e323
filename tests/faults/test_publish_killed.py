"""Publications that are killed: at each of their changes to the file system, and at random moments beside a reader."""

from __future__ import annotations

import random
import shutil
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index_reader import IndexReader, Watcher
from publications import SEED, Publisher, tiny_release, tree

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = "2026-11-24T00:00:00Z"
OTHER = "2.0"
LATER = "2026-11-24T01:00:00Z"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Path]]:
    """Make a tiny release, once each."""
    folder = tmp_path_factory.mktemp("wheels")
    made: dict[tuple[str, str], list[Path]] = {}

    def make(version: str, origin: str = "") -> list[Path]:
        if (version, origin) not in made:
            made[version, origin] = tiny_release(
                folder / f"{version}-{origin}", version, origin, name="other" if version == OTHER else "demo"
            )
        return made[version, origin]

    return make


STORIES: dict[str, tuple[list[tuple[str, ...]], tuple[str, ...]]] = {
    "the first publication": ([], ("1.0",)),
    "one more release": ([("1.0",)], ("1.1",)),
    "another content": ([("1.0",), ("1.1",)], ("1.1", "other")),
    "another content again": ([("1.0",), ("1.0", "other")], ("1.0",)),
}


@pytest.mark.parametrize(
    ("story", "more"),
    [*((story, False) for story in STORIES), ("the first publication", True), ("another content", True)],
)
def test_killed_at_each_of_its_changes(
    story: str, more: bool, tmp_path: Path, publisher: Publisher, wheels: Callable[..., list[Path]]
) -> None:
    before, files = tmp_path / "before", wheels(*STORIES[story][1])
    before.mkdir()
    for each in STORIES[story][0]:
        assert publisher.publish(before, wheels(*each), replace=True, now=NOW).status == 0
    known = IndexReader(before).look()
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(before, undisturbed, symlinks=True)
    assert publisher.publish(undisturbed, files, replace=True, now=LATER).status == 0
    if more:
        assert publisher.publish(undisturbed, wheels(OTHER), now=LATER).status == 0

    kills = 0
    while True:
        folder = tmp_path / str(kills)
        shutil.copytree(before, folder, symlinks=True)
        ended = publisher.publish(folder, files, replace=True, now=LATER, die_at=kills + 1)
        if ended.status == 0:
            break
        kills += 1
        assert ended.status == -9, ended
        reader = IndexReader(folder)
        pages = reader.look()
        assert pages or not known
        reader.fetch(known)  # what was read before the switch, if there was one
        # Who comes next has to do the rest, whatever it is about.
        follower = wheels(OTHER) if more else files
        again = publisher.publish(folder, follower, replace=not more, now=LATER)
        assert again.status == 0, f"after a kill at change {kills}: {again}"
        if more:
            reader.fetch(pages)
            assert "other" in reader.look()
            assert publisher.publish(folder, files, replace=True, now=LATER).status == 0
            left = reader.look()
            assert set(left["demo"]) == set(IndexReader(undisturbed).look()["demo"])
        else:
            reader.fetch(known)
            assert tree(folder) == tree(undisturbed), f"after a kill at change {kills}"
        reader.look()
        shutil.rmtree(folder)
    assert kills > 20, "the publication was hardly ever killed"


@pytest.mark.parametrize("replace", [False, True], ids=["adding", "replacing"])
@pytest.mark.parametrize("batch", range(8))
def test_killed_at_random_moments_while_a_reader_looks(
    batch: int, replace: bool, tmp_path: Path, publisher: Publisher, wheels: Callable[..., list[Path]]
) -> None:
    seed = SEED + 10 * batch + replace
    moments = random.Random(seed)  # noqa: S311 -- moments, no secrets
    folder = tmp_path / "index"
    clean = [publisher.publish(folder, wheels("0.1", str(number)), replace=True) for number in range(7)]
    assert [each.status for each in clean] == [0] * 7
    usual = statistics.median(each.seconds for each in clean)
    kills = attempts = 0
    with Watcher(folder) as watcher:
        watcher.settle()
        while kills < 11:
            attempts += 1
            assert attempts < 400, f"seed {seed}: {kills} kills only"
            files = wheels("1.0", f"{attempts}") if replace else wheels(f"1.{attempts}")
            delay = moments.uniform(0, usual)
            ended = publisher.publish(folder, files, replace=replace, kill_after=delay)
            context = f"seed {seed}, attempt {attempts}, killed after {delay:.4f} s: {ended}"
            assert ended.status in {0, -9}, context
            kills += ended.status == -9
            again = publisher.publish(folder, files, replace=replace)
            assert again.status == 0, f"{context}; then {again}"
            try:
                watcher.settle()
            except AssertionError as error:
                pytest.fail(f"{context}: {error}")
    assert watcher.rounds > 2 * kills

    # What is there in the end is what would be there without a kill, and nothing else.
    undisturbed = tmp_path / "undisturbed"
    last_two = attempts - 1, attempts
    for number in range(1, attempts + 1) if not replace else last_two:
        files = wheels("1.0", f"{number}") if replace else wheels(f"1.{number}")
        assert publisher.publish(undisturbed, files, replace=replace).status == 0
    reader, expected = IndexReader(folder), IndexReader(undisturbed)
    pages = {name: {link for link in links if "-0.1-" not in link.filename} for name, links in reader.look().items()}
    assert pages == {name: set(links) for name, links in expected.look().items()}
    stored = {path.name for path in folder.rglob(".*") if not path.is_dir()}
    assert stored <= {".lock", ".current"}, stored
    assert [path.name for path in (folder / ".pages").iterdir() if path.name.startswith(".")] == []
    assert len(list((folder / ".pages").iterdir())) == 2
