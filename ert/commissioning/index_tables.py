"""Tables of the TOML files physicists write: beam data index and machine file. Refusals name file, table and key."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ert.commissioning.curve_files import make_field, refuse
from ert.commissioning.measured import Field
from ert.domain.machine import Applicator, Machine


class Section:
    """One table with its place in messages."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values = values
        self.where = where

    def number(self, key: str) -> float:
        """A positive number that must be there."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise refuse(self.where, f"'{key}' must be a positive number, found {value!r}.", "Correct the file.")
        return float(value)

    def text(self, key: str) -> str:
        """A text that must be there."""
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            raise refuse(self.where, f"'{key}' must be a text, found {value!r}.", "Correct the file.")
        return value

    def number_or_none(self, key: str) -> float | None:
        """A positive number, or None where the key is absent."""
        return self.number(key) if key in self.values else None

    def text_or_none(self, key: str) -> str | None:
        """A text, or None where the key is absent."""
        return self.text(key) if key in self.values else None

    def is_set(self, key: str) -> bool:
        """Whether a switch is there and true; refused where it is not true or false."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise refuse(self.where, f"'{key}' must be true or false, found {value!r}.", "Correct the file.")
        return value

    def allow_only(self, *keys: str) -> None:
        """Refuse a key that is not known: a slip of the pen must not pass unnoticed."""
        unknown = sorted(set(self.values) - set(keys))
        if unknown:
            raise refuse(self.where, f"'{unknown[0]}' is not known.", f"Keys are {', '.join(keys)}.")


def read_toml(path: Path, name: str, *, absent: str) -> dict[str, Any]:
    """The tree of a TOML file; `absent` is the sentence for a file that is not there."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise refuse(str(path.parent), absent, "Choose another one.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise refuse(name, f"it cannot be read ({exc}).", "Correct the file.") from exc


def table(tree: Mapping[str, Any], name: str, file: str) -> Section:
    """A table that must be there."""
    value = tree.get(name)
    if not isinstance(value, dict):
        raise refuse(file, f"the table [{name}] is missing.", "Add it; see the description of the format.")
    return Section(value, f"{file} [{name}]")


def tables(tree: Mapping[str, Any], name: str, file: str, *, is_required: bool = True) -> list[Section]:
    """All tables of one name."""
    value = tree.get(name, [])
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value) or (is_required and not value):
        raise refuse(file, f"there is no [[{name}]] table.", "Add one for each.")
    return [Section(v, f"{file} [[{name}]] {k + 1}") for k, v in enumerate(value)]


def read_machine(tree: Mapping[str, Any], file: str, energies_mev: tuple[float, ...]) -> Machine:
    """Machine from the tables [machine] and [[applicator]] and the name at the top."""
    applicators = [
        Applicator(id=s.text("id"), opening_x_cm=s.number("opening_x_cm"), opening_y_cm=s.number("opening_y_cm"))
        for s in tables(tree, "applicator", file)
    ]
    s = table(tree, "machine", file)
    return Machine(
        name=Section(tree, file).text("name"),
        sad_cm=s.number("sad_cm"),
        insert_distance_cm=s.number("insert_downstream_face_cm"),
        insert_thickness_cm=s.number("insert_thickness_cm"),
        insert_material=s.text("insert_material"),
        applicators=tuple(sorted(applicators, key=lambda a: a.area_cm2)),
        energies_mev=energies_mev,
    )


def read_field(s: Section, machine: Machine) -> Field:
    """Field from applicator, cutout and SSD."""
    return make_field(s.text("applicator"), s.text("cutout"), s.number("ssd_cm"), machine, s.where)
