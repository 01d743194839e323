"""What a customer gives `variantkit doctor` to test one of its libraries with.

classifiers.toml names a function, `self-test = "gizmo._selftest:self_test"`. The doctor calls it in a child process in
which the package has loaded the classifier that is to be tested, with what the package's opener returned, and it returns a
`SelfTest`. So a check may crash: the doctor says in which one, and by which signal.
"""

from __future__ import annotations

from variantkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["SelfTest"]


class SelfTest(Record):
    """Checks, by name, each of which returns what is wrong, or an empty string; an exception counts as wrong, too.

    `threads` is how many threads a computation of the package would use, 0 where it has no threads of its own.
    """

    checks: Iterable[tuple[str, Callable[[], str]]]
    threads: int = 0
