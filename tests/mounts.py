"""Commands in a mount namespace of their own, in which files and folders of the system are replaced for them alone."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

__all__ = ["with_mounts"]


def with_mounts(script: str, *command: str) -> list[str]:
    """Return the words that run `script`, lines of sh that mount, and then the command, which sees what it mounted.

    As root, in a user namespace, or with a sudo that does not ask; where none of these is allowed, the test fails.
    """
    return [*_unshare(), "sh", "-ec", f'{script}\nexec "$@"', "sh", *command]


@functools.cache
def _unshare() -> tuple[str, ...]:
    assert shutil.which("unshare"), "unshare is missing; on Debian and Ubuntu: apt install util-linux"
    ways: list[tuple[str, ...]] = [("unshare", "--user", "--map-root-user", "--mount")]
    if os.geteuid() == 0:
        ways.insert(0, ("unshare", "--mount"))
    elif shutil.which("sudo"):
        ways.append(("sudo", "--non-interactive", "--preserve-env", "unshare", "--mount"))
    for way in ways:
        if subprocess.run([*way, "true"], capture_output=True, check=False).returncode == 0:
            return way
    msg = f"nothing may be mounted here ({' / '.join(' '.join(way) for way in ways)}); run these tests as root"
    raise AssertionError(msg)
