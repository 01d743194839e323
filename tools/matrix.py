"""`python -m tools.matrix`: check classifiers.toml; `--write` writes what is generated from it, variantkit's schema too."""

from __future__ import annotations

import sys

from . import ROOT


def main(arguments: list[str]) -> int:
    """Run `variantkit matrix` for this repository."""
    from variantkit.cli import matrix
    from variantkit.files import write_atomically
    from variantkit.schema import schema_text

    # The schema belongs to variantkit and not to a project's matrix, so that only this repository writes it. It comes
    # first, because the matrix is checked against it.
    path = ROOT / "python" / "variantkit" / "classifiers.schema.json"
    if "--write" in arguments and write_atomically(path, schema_text()):
        print(f"wrote {path.relative_to(ROOT)}")
    return matrix.main(arguments, prog="python -m tools.matrix", root=ROOT)


if __name__ == "__main__":
    from variantkit.cli import run

    sys.exit(run(lambda: main(sys.argv[1:])))
