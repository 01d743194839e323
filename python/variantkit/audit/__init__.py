"""The audit of machine code: no native file of a wheel needs more of a machine than its label promises."""

from __future__ import annotations

from variantkit.audit.auditing import audit
from variantkit.audit.report import sarif
from variantkit.audit.result import AuditFinding, AuditResult

__all__ = ["AuditFinding", "AuditResult", "audit", "sarif"]
