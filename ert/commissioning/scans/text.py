"""Text of scanner files: encodings, numbered lines, numbers with decimal comma. Refusals name file and line."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from ert.commissioning.curve_files import refuse
from ert.commissioning.scans.scan import Float
from ert.errors import InvalidBeamData

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_LINE_END = re.compile(r"\r\n|\r|\n")
_SIZE = re.compile(r"([\d.,]+)\s*(mm|cm)?", re.IGNORECASE)
LEAST_POINTS = 5


@attrs.frozen(kw_only=True)
class Line:
    """One line of a file, stripped, with its number from 1."""

    number: int
    text: str


@attrs.frozen(kw_only=True)
class TextFile:
    """A file as lines."""

    name: str
    lines: tuple[Line, ...]

    def where(self, line: int) -> str:
        """Place of a line for messages."""
        return f"{self.name}, line {line}"

    def refuse(self, line: int, what: str, todo: str) -> InvalidBeamData:
        """The refusal of a line."""
        return refuse(self.where(line), what, todo)

    @property
    def filled(self) -> Iterator[Line]:
        """Lines that are not blank."""
        return (line for line in self.lines if line.text)


def decode(content: bytes, name: str) -> TextFile:
    """Text of a scanner file: UTF-8 or UTF-16 with or without byte order mark, else Windows-1252 (Latin-1).

    Raises
    ------
    InvalidBeamData
        The bytes are no text.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252", "latin-1"]
        if b"\0" in content:
            raise refuse(name, "it is a binary file.", "Export the scans as text: RFA300 ASCII, W2CAD or mcc.")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return TextFile(
            name=name, lines=tuple(Line(number=n, text=t.strip()) for n, t in enumerate(_LINE_END.split(text), start=1))
        )
    raise refuse(name, "its text cannot be decoded.", "Export it again.")


def number(token: str, file: TextFile, line: int) -> float:
    """A finite number, with decimal point or comma; `InvalidBeamData` for anything else."""
    text = token.strip()
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    if _NUMBER.fullmatch(text) is None or not np.isfinite(float(text)):
        raise file.refuse(line, f"'{token.strip()}' is no number.", "Export the file again.")
    return float(text)


def numbers(rows: Sequence[tuple[int, Sequence[str]]], file: TextFile, *, columns: int) -> Float:
    """A table of numbers, (n, columns), from rows of (line, tokens).

    Raises
    ------
    InvalidBeamData
        A row has another count of columns, holds no number, or decimal comma and point are mixed.
    """
    signs = set()
    for line, tokens in rows:
        if len(tokens) != columns:
            raise file.refuse(line, f"{len(tokens)} columns where {columns} are expected.", "Export the file again.")
        signs |= {sign for token in tokens for sign in ",." if sign in token}
        if len(signs) > 1:
            raise file.refuse(line, "decimal comma and decimal point are mixed.", "Export the file again.")
    return np.array([[number(t, file, line) for t in tokens] for line, tokens in rows]).reshape(len(rows), columns)


def lengths_cm(text: str, file: TextFile, line: int) -> list[float] | None:
    """All lengths of a text such as '100 mm x 100 mm', in cm; None where no unit stands with any of them."""
    found = _SIZE.findall(text)
    units = {unit.lower() for _, unit in found if unit}
    if len(units) > 1:
        raise file.refuse(line, f"'{text}' mixes millimetres and centimetres.", "Correct the file.")
    if not units:
        return None
    return [number(value, file, line) / (10.0 if units == {"mm"} else 1.0) for value, _ in found]


def plausible_ssd_cm(value_cm: float, file: TextFile, line: int) -> float:
    """The distance; refused outside 50 … 200 cm, where its unit must be wrong."""
    if not 50.0 <= value_cm <= 200.0:
        raise file.refuse(
            line, f"an SSD of {value_cm:g} cm makes no sense.", "Check the unit: the format asks for millimetres."
        )
    return value_cm


def plausible_field_cm(value_cm: float, file: TextFile, line: int) -> float:
    """The field size; refused outside 1 … 45 cm, where its unit must be wrong."""
    if not 1.0 <= value_cm <= 45.0:
        raise file.refuse(
            line, f"a field of {value_cm:g} cm makes no sense.", "Check the unit: the format asks for millimetres."
        )
    return value_cm
