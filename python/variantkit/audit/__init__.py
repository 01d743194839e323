"""The audit of machine code: no native file of a wheel needs more of a machine than its label promises."""
