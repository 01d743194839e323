"""Every environment variable of a package that is loaded by this one: declared, parsed and documented here."""

from __future__ import annotations

from variantkit._record import Record
from variantkit.errors import SettingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["VARIABLES", "Settings", "Variable", "markdown", "read", "text"]


class Variable(Record):
    """One variable; `name` starts with `<PREFIX>` where it belongs to one package. No `values` means free text."""

    name: str
    default: str
    values: tuple[str, ...]
    accepts: str
    doc: str

    def named(self, prefix: str) -> str:
        """Return the variable's name for the package with that prefix."""
        return self.name.replace("<PREFIX>", prefix)


CLASSIFIER = Variable(
    name="<PREFIX>_CLASSIFIER",
    default="",
    values=(),
    accepts="the name of a classifier",
    doc="Load this classifier and no other. It is an error when it is unknown, not installed, or cannot run here.",
)
WARN = Variable(
    name="<PREFIX>_WARN",
    default="1",
    values=("0", "1"),
    accepts="`0` or `1`",
    doc="`0` silences `BetterVariantWarning`, which says that a better classifier could be installed.",
)
LOG = Variable(
    name="<PREFIX>_LOG",
    default="",
    values=("info", "debug"),
    accepts="`info` or `debug`",
    doc="Print to stderr what was loaded and why; with `debug` also the machine and each classifier that was rejected.",
)
PRIORITY_CPU = Variable(
    name="BACKEND_PRIORITY_CPU",
    default="0",
    values=(),
    accepts="an integer",
    doc="Priority of classifiers for the CPU; the kind of device with the highest priority is tried first.",
)
PRIORITY_GPU = Variable(
    name="BACKEND_PRIORITY_GPU",
    default="100",
    values=(),
    accepts="an integer",
    doc="Priority of classifiers for a GPU.",
)
THREADS = Variable(
    name="OMP_NUM_THREADS",
    default="the number of physical cores",
    values=(),
    accepts="a positive integer, or a list of them of which the first counts",
    doc="Number of threads of a computation. Read once, by the package's compiled part, when it is imported.",
)
WAIT_POLICY = Variable(
    name="OMP_WAIT_POLICY",
    default="`active`, for 200 µs",
    values=(),
    accepts="`passive`, or anything else for `active`",
    doc="With `passive`, threads sleep as soon as they have nothing to do, which spares CPU time and makes short "
    "computations slower. Read once, as `OMP_NUM_THREADS` is.",
)

VARIABLES: tuple[Variable, ...] = (CLASSIFIER, WARN, LOG, PRIORITY_CPU, PRIORITY_GPU, THREADS, WAIT_POLICY)
"""All of them, in the order of the documentation."""


class Settings(Record):
    """What the environment asks for; `forced` is "" where nothing is forced, `log` is "", "info" or "debug".

    `ignored` has a message for every variable whose value is not used.
    """

    forced: str = ""
    warn: bool = True
    log: str = ""
    cpu_priority: int = 0
    gpu_priority: int = 100
    ignored: tuple[str, ...] = ()


def read(prefix: str, environ: Mapping[str, str]) -> Settings:
    """Read the settings of the package with that prefix; an empty value counts as none.

    Raises SettingError for a value that is not allowed in a variable with the prefix. The others may be meant for another
    program: for these the default is used and `ignored` says so. Whether a forced classifier exists is for the selection
    to say.
    """
    ignored: list[str] = []
    return Settings(
        # Case and `_` for `-` are forgiven: a spelling that silently selects nothing cost faiss users their AVX2.
        forced=text(CLASSIFIER, prefix, environ).lower().replace("_", "-"),
        warn=text(WARN, prefix, environ) == "1",
        log=text(LOG, prefix, environ),
        cpu_priority=_integer(PRIORITY_CPU, environ, ignored),
        gpu_priority=_integer(PRIORITY_GPU, environ, ignored),
        ignored=tuple(ignored),
    )


def text(variable: Variable, prefix: str, environ: Mapping[str, str]) -> str:
    """Return the value of a variable, in lower case where only some are allowed; its default where it is empty or not set.

    Raises SettingError for a value that is not allowed.
    """
    name = variable.named(prefix)
    value = environ.get(name, "").strip()
    if not value:
        return variable.default
    if variable.values:
        value = value.lower()
        if value not in variable.values:
            msg = f"{name}={value!r} is not allowed; set it to {' or '.join(variable.values)}, or unset it"
            raise SettingError(msg)
    return value


def _integer(variable: Variable, environ: Mapping[str, str], ignored: list[str]) -> int:
    value = text(variable, "", environ)
    try:
        return int(value)
    except ValueError:
        ignored.append(
            f"{variable.name}={value[:60]!r} is not a number, and {variable.default} is used; "
            f"set it to an integer such as {variable.default}, or unset it"
        )
        return int(variable.default)


def markdown(prefix: str, distribution: str, *, more: Sequence[Variable] = ()) -> str:
    """Return the page that documents every variable of a distribution; `more` are the ones that only it has."""
    lines = [
        f"# Environment variables of {distribution}",
        "",
        "They are read when the package is imported; changing one later has no effect in that process. An empty value",
        f"counts as none. A value that is not allowed is an error that names what is, in the variables named {prefix}_…; in",
        "the others, which other programs read too, it is a `RuntimeWarning`, and the default is used.",
        "",
        "| variable | default | accepts | what it does |",
        "| --- | --- | --- | --- |",
    ]
    for variable in (*VARIABLES, *more):
        default = (
            f"`{variable.default}`" if variable.default and " " not in variable.default else variable.default or "none"
        )
        lines.append(f"| `{variable.named(prefix)}` | {default} | {variable.accepts} | {variable.doc} |")
    return "\n".join(lines) + "\n"
