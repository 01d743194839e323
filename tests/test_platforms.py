"""Platform tags, read alike on every machine."""

from __future__ import annotations

import pytest

from variantkit.platforms import covers, systems


@pytest.mark.parametrize(
    ("tags", "platforms"),
    [
        ("manylinux2014_x86_64.manylinux_2_17_x86_64", {"linux-x86_64"}),
        ("manylinux_2_35_aarch64", {"linux-aarch64"}),
        ("musllinux_1_2_x86_64", {"linux-x86_64"}),
        ("linux_x86_64", {"linux-x86_64"}),
        ("macosx_11_0_arm64", {"macos-arm64"}),
        ("macosx_11_0_universal2", {"macos-x86_64", "macos-arm64"}),
        ("win_amd64", {"windows-x86_64"}),
        ("any", {"any"}),
    ],
)
def test_tags_in_the_words_of_the_matrix(tags: str, platforms: set[str]) -> None:
    assert systems(tags) == platforms


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("any", "win_amd64", True),
        ("manylinux_2_17_x86_64", "manylinux_2_35_x86_64", True),
        ("manylinux_2_35_x86_64", "manylinux_2_17_x86_64", False),
        ("manylinux_2_17_x86_64", "musllinux_1_2_x86_64", False),
        ("manylinux_2_17_x86_64", "linux_x86_64", True),
        ("manylinux2014_aarch64", "manylinux_2_28_x86_64", False),
    ],
)
def test_a_wheel_for_an_older_system_covers_a_newer_one(one: str, other: str, expected: bool) -> None:
    assert covers(one, other) is expected
