"""Find out why a package that is loaded through variantkit does not work, or not as fast as it could.

`observe` looks at everything once and returns it as `Facts`; `diagnose` is a pure function from these to findings, each of
which says what mends it; `report` shows both. Nothing native is loaded in this process: what may crash is in `child`.
"""

from __future__ import annotations

from variantkit.doctor.diagnose import diagnose
from variantkit.doctor.facts import Facts
from variantkit.doctor.findings import RULES, Finding
from variantkit.doctor.observe import observe

__all__ = ["RULES", "Facts", "Finding", "diagnose", "observe"]
