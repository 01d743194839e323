"""A BLAS from an extra of the real wheel: the message where it is missing, and after its command."""

from __future__ import annotations

from pathlib import Path

from environments import Environment

WHO = "import ndkernels; print(ndkernels.explain('matmul', (2, 3), (3, 4)).implementation)"


def test_the_extra_that_the_message_names_brings_what_is_missing(
    environment_of_all: Environment, wheelhouse: Path
) -> None:
    refused = environment_of_all.script(WHO, check=False, NDKERNELS_BLAS="openblas")
    assert refused.returncode == 1
    message = refused.stderr.splitlines()[-1]
    assert "scipy-openblas64 is not installed; wanted is scipy-openblas64>=" in message
    assert message.endswith('python -m pip install "ndkernels[openblas]"')
    environment_of_all.uv_install("ndkernels[openblas]", "--find-links", str(wheelhouse))
    assert environment_of_all.script(WHO, NDKERNELS_BLAS="openblas").stdout == "openblas\n"
    # Where nothing asks for it, it is not used.
    assert environment_of_all.script(WHO, NDKERNELS_WARN="0").stdout != "openblas\n"


def test_doctor_says_the_same(environment_of_all: Environment) -> None:
    told = environment_of_all.run("-m", "ndkernels", "doctor", check=False, NDKERNELS_BLAS="mkl")
    assert "breaks setting: mkl is asked for, and mkl is not installed" in told.stdout
    assert 'mend: python -m pip install "ndkernels[mkl]"' in told.stdout
    assert "self-test    generic      passed" in told.stdout
