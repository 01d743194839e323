"""What a customer's package knows about its classifiers at run time; generated from the matrix."""

from __future__ import annotations

from variantkit._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from variantkit.environment import Variable

__all__ = ["Catalogue", "Classifier", "HelperRule"]


class Classifier(Record):
    """One hardware variant of the customer's library: a row of the matrix, as far as the loader needs it.

    One that is only installed `on_request` is used where it is installed, and never recommended.
    """

    name: str
    summary: str
    rank: int
    device: str
    platforms: tuple[str, ...]
    level: str
    features: frozenset[str]
    helpers: tuple[str, ...] = ()
    on_request: bool = False

    @property
    def label(self) -> str:
        """The name as it appears in file and package names."""
        return self.name.replace("-", "_")


class HelperRule(Record):
    """For which calls a helper is used where nobody says otherwise; the work is in multiply-adds, 0 for no bound."""

    operator: str
    helper: str
    dtypes: tuple[str, ...]
    min_work: int = 0
    max_work: int = 0
    features: frozenset[str] = frozenset()
    date: str
    evidence: str


class Catalogue(Record):
    """All classifiers of one distribution.

    `variables` are the environment variables that only it has. `cpuid` is the compiled CPUID reading, `opener` the function that opens a library and `self_test` the one that tests it,
    as "module:function" or empty.
    """

    distribution: str
    package: str
    version: str
    base: str
    prefix: str
    cpuid: str
    opener: str = ""
    self_test: str = ""
    variables: tuple[Variable, ...] = ()
    rules: tuple[HelperRule, ...] = ()
    classifiers: tuple[Classifier, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classifiers, in the order of the matrix."""
        return tuple(classifier.name for classifier in self.classifiers)

    def get(self, name: str) -> Classifier | None:
        """Return the classifier of that name, or None."""
        for classifier in self.classifiers:
            if classifier.name == name:
                return classifier
        return None
