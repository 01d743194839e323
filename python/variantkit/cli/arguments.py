"""Kinds of arguments that several subcommands have; `argparse` tells of what is wrong with them."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["given_path", "report_file", "rule_names"]


def given_path(text: str) -> Path:
    """Return a path; none is no path, and not the current folder: it is a variable that was not set."""
    if not text:
        msg = "it is empty, and no path; is a variable not set?"
        raise argparse.ArgumentTypeError(msg)
    return Path(text)


def report_file(text: str) -> Path:
    """Return the path of a file that is to be written in a folder that is there."""
    path = given_path(text)
    if path.is_dir():
        msg = f"{text} is a folder; name a file"
        raise argparse.ArgumentTypeError(msg)
    if not path.parent.is_dir():
        msg = f"the folder {path.parent} is not there; make it, or write elsewhere"
        raise argparse.ArgumentTypeError(msg)
    return path


def rule_names(text: str) -> str:
    """Return what chooses rules; nothing chooses none, and not all of them."""
    if not text.replace(",", "").strip():
        msg = "it is empty, and names no rule; is a variable not set? Without the option, all rules are run"
        raise argparse.ArgumentTypeError(msg)
    return text
