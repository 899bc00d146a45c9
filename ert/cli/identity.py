"""What identifies a patient, from a file, a pipe or the terminal: everybody at a computer can read a command line."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

from ert.cli.credentials import ask_line
from ert.domain.patient import Patient, Sex
from ert.errors import Refused

_TEXTS = ("family_name", "given_name", "middle_name", "prefix", "suffix", "medical_record_number", "issuer")
_NAMES = (*_TEXTS, "birth_date", "sex")
_REMOVE = "-"
_MOST_BYTES = 64 * 1024


def read_changes(path: Path) -> dict[str, Any]:
    """Fields of an identity to be changed, from a JSON object in a file, or on standard input for ``-``.

    Raises
    ------
    Refused
        It cannot be read, is no such object, or names what an identity does not have.
    """
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with path.open("rb") as source:
                data = source.read(_MOST_BYTES + 1)
        content = json.loads(data.decode("utf-8-sig")) if len(data) <= _MOST_BYTES else None
    except OSError as error:
        raise Refused(f"The identity cannot be read from '{path}': {error.strerror}.") from error
    except ValueError as error:
        raise Refused(f"What '{path}' holds is no JSON.", hint='Write {"family_name": "…"}, for example.') from error
    if not isinstance(content, dict) or not content or not all(isinstance(v, str) for v in content.values()):
        raise Refused(
            f"'{path}' must hold one JSON object of texts, with what is to change.",
            hint='Write {"family_name": "…"}, for example.',
        )
    unknown = sorted(set(content) - set(_NAMES))
    if unknown:
        raise Refused(f"An identity has no {', '.join(unknown)}.", hint=f"It has {', '.join(_NAMES)}.")
    return {name: _value(name, text.strip()) for name, text in content.items()}


def ask_changes(patient: Patient) -> dict[str, Any]:
    """Ask for every field on the terminal, what it is now beside it; raises `Refused` without one, or for nothing."""
    changes = {}
    for name in _NAMES:
        now = getattr(patient, name)
        shown = now.value if isinstance(now, Sex) else str(now or "")
        typed = ask_line(f"{name.replace('_', ' ').capitalize()} [{shown}] (Enter keeps, '{_REMOVE}' removes)")
        if typed:
            changes[name] = _value(name, "" if typed == _REMOVE else typed)
    if not changes:
        raise Refused("Nothing was changed: every field was kept.")
    return changes


def _value(name: str, text: str) -> str | dt.date | Sex | None:
    if name == "birth_date":
        return _date(text)
    return _sex(text) if name == "sex" else text


def _date(text: str) -> dt.date | None:
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError as exc:
        raise Refused(f"'{text}' is no date.", hint="Write it as YYYY-MM-DD, for example 1954-08-31.") from exc


def _sex(text: str) -> Sex:
    try:
        return Sex(text.upper())
    except ValueError as exc:
        raise Refused(f"'{text}' is no sex that DICOM knows.", hint="Give F, M, O, or nothing.") from exc
