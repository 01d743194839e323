from __future__ import annotations

import copy
import pickle

import pytest

from variantkit._record import Record


class Point(Record):
    x: int
    y: int = 2


class Other(Record):
    x: int
    y: int = 2


def test_fields_come_from_the_annotations() -> None:
    assert Point(x=1) == Point(x=1, y=2)
    assert Point(x=1) != Point(x=1, y=3)
    assert hash(Point(x=1)) == hash(Point(x=1, y=2))
    assert repr(Point(x=1)) == "Point(x=1, y=2)"
    assert Point(x=1).as_dict() == {"x": 1, "y": 2}
    assert Point(x=1).replace(y=5) == Point(x=1, y=5)


def test_another_type_with_equal_fields_is_not_equal() -> None:
    assert Point(x=1) != Other(x=1)


def test_a_record_never_changes() -> None:
    point = Point(x=1)
    with pytest.raises(AttributeError, match=r"frozen.*replace\(x="):
        point.x = 3  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    with pytest.raises(AttributeError):
        point.z = 3  # type: ignore[attr-defined]
    assert not hasattr(point, "__dict__")


def test_missing_and_unknown_fields_are_named() -> None:
    with pytest.raises(TypeError, match="misses the field 'x'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no field 'z'; it has x, y"):
        Point(x=1, z=3)  # type: ignore[call-arg]


def test_a_record_survives_pickle_and_copy() -> None:
    assert pickle.loads(pickle.dumps(Point(x=4))) == Point(x=4)  # noqa: S301
    assert copy.deepcopy(Point(x=4)) == Point(x=4)
