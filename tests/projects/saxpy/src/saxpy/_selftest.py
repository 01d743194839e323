"""What `variantkit doctor saxpy` tries each library with."""

from variantkit.selftest import SelfTest


def self_test(library: object) -> SelfTest:
    """Return the checks of the library, which is the one that the package has loaded."""
    import saxpy

    def compute() -> str:
        found = saxpy.saxpy(2, [1, 2, 3, 4, 5], [10, 20, 30, 40, 50])
        return "" if found == [12, 24, 36, 48, 60] else f"the result is {found}"

    def name() -> str:
        return "" if saxpy.compiled_for() == saxpy.LOADED.classifier else f"it is {saxpy.compiled_for()}"

    return SelfTest(checks=[("classifier", name), ("saxpy", compute)])
