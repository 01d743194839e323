"""A small stand-in for frozen, keyword-only dataclasses.

`import dataclasses` loads `re` and `inspect`: some 30 ms on a slow machine, before the first line of a customer's
package has run. A class below `Record` gets the same from its annotations: slots, constructor, equality, repr, and a hash
where all its fields have one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        """Do nothing: the real one only speaks to type checkers, and costs the import of `typing`."""
        return lambda cls: cls


__all__ = ["Record"]


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _RecordType(type):
    """Turns the annotations of a class body into slots, and its class attributes into defaults."""

    _defaults: dict[str, Any]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _RecordType:
        fields = tuple(field for field in namespace.get("__annotations__", ()) if field != "__match_args__")
        defaults = {field: namespace.pop(field) for field in fields if field in namespace}
        namespace["__slots__"] = namespace["__match_args__"] = fields
        cls = super().__new__(mcs, name, bases, namespace)
        cls._defaults = defaults
        return cls


class Record(metaclass=_RecordType):
    """Base of values that never change; the annotations of a subclass are its fields, its class attributes defaults.

    The module of the subclass needs `from __future__ import annotations`.
    """

    __match_args__: ClassVar[tuple[str, ...]]

    def __init__(self, **values: Any) -> None:
        """Take every field by keyword; raises TypeError for a missing or an unknown one."""
        cls = type(self)
        for field in cls.__match_args__:
            if field in values:
                object.__setattr__(self, field, values.pop(field))
            elif field in cls._defaults:
                object.__setattr__(self, field, cls._defaults[field])
            else:
                msg = f"{cls.__name__}() misses the field {field!r}; give it by keyword"
                raise TypeError(msg)
        if values:
            msg = f"{cls.__name__}() has no field {min(values)!r}; it has {', '.join(cls.__match_args__)}"
            raise TypeError(msg)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return type(self)(**{**self.as_dict(), **changes})

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name; the values are not copied."""
        return {field: getattr(self, field) for field in self.__match_args__}

    def __setattr__(self, name: str, value: object) -> None:
        msg = f"{type(self).__name__} is frozen; make a changed copy with .replace({name}=…)"
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> None:
        msg = f"{type(self).__name__} is frozen; its field {name!r} cannot be deleted"
        raise AttributeError(msg)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in self.__match_args__)

    def __hash__(self) -> int:
        for field in self.__match_args__:
            value = getattr(self, field)
            try:
                hash(value)
            except TypeError:
                msg = (
                    f"{type(self).__name__} has a {type(value).__name__} in its field {field!r}, and cannot be hashed; "
                    "use another key, such as its repr"
                )
                raise TypeError(msg) from None
        return hash((type(self), *(getattr(self, field) for field in self.__match_args__)))

    def __repr__(self) -> str:
        inner = ", ".join(f"{field}={getattr(self, field)!r}" for field in self.__match_args__)
        return f"{type(self).__name__}({inner})"

    # Slots have no __dict__ for pickle to use, and __setattr__ refuses; so a copy is rebuilt through the constructor.
    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.as_dict())


def _rebuild(cls: type[Record], values: dict[str, Any]) -> Record:
    return cls(**values)
