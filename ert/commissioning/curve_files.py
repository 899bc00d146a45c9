"""CSV files of a beam data folder: depth doses, profiles, outputs, profiles in air. Refusals name file and line."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ert.commissioning.measured import OPEN, AirProfile, Curve, Field, Insert, Output
from ert.domain.machine import Machine
from ert.errors import InvalidBeamData

Float = NDArray[np.float64]
_DEFAULT_SIGMA_FRAC = 0.01
_LEAST_POINTS = 10
_CUTOUT = re.compile(r"^(\d+(?:\.\d+)?)\s*[xX\N{MULTIPLICATION SIGN}]\s*(\d+(?:\.\d+)?)$")
_DEPTH_COLUMN = re.compile(r"^dose_(\d+(?:\.\d+)?)cm$")
_AIR_COLUMN = re.compile(r"^fluence_(\d+(?:\.\d+)?)$")


def listed_file(folder: Path, name: str, where: str) -> Path:
    """Return where a file lies that an index names; it need not be there.

    Raises
    ------
    InvalidBeamData
        The name leads out of the folder, or can be no file's.
    """
    path = folder / name
    try:
        is_inside = path.resolve().is_relative_to(folder.resolve())
        path.is_file()
    except (ValueError, OSError) as exc:  # a NUL in it, or too long
        raise refuse(where, f"{name[:60]!r} can be no file's name.", "List files as they are called.") from exc
    if not is_inside:
        raise refuse(where, f"'{name}' lies outside the folder.", "List only files inside it.")
    return path


def refuse(where: str, what: str, todo: str) -> InvalidBeamData:
    """The refusal of a place in the beam data, with what is wrong there and what to do."""
    return InvalidBeamData(f"{where}: {what}", hint=todo)


def make_field(applicator_id: str, cutout: str, ssd_cm: float, machine: Machine, where: str) -> Field:
    """A field from its applicator and cutout ('open' or width x height, cm: '4x6', '4.0 x 6'), or a refusal."""
    known = {a.id: a for a in machine.applicators}
    if applicator_id not in known:
        raise refuse(where, f"applicator '{applicator_id}' is not listed.", f"Listed are {', '.join(known)}.")
    applicator = known[applicator_id]
    width, height = applicator.opening_x_cm, applicator.opening_y_cm
    if cutout != OPEN:
        match = _CUTOUT.match(cutout)
        if match is None:
            raise refuse(where, f"cutout '{cutout}' is not understood.", "Write 'open' or width x height, '4x6'.")
        width, height = float(match[1]), float(match[2])
        if width > applicator.opening_x_cm or height > applicator.opening_y_cm or min(width, height) <= 0:
            raise refuse(where, f"cutout '{cutout}' does not fit applicator '{applicator_id}'.", "Correct the index.")
        # One name for one opening: fields are told apart by it.
        is_whole = (width, height) == (applicator.opening_x_cm, applicator.opening_y_cm)
        cutout = OPEN if is_whole else f"{width:g}x{height:g}"
    return Field(applicator_id=applicator_id, cutout=cutout, width_cm=width, height_cm=height, ssd_cm=ssd_cm)


class Csv:
    """A CSV file with a header and rows of numbers; refusals name file and line."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = [(n, row) for n, row in enumerate(csv.reader(file), start=1) if any(c.strip() for c in row)]
        except (UnicodeDecodeError, csv.Error) as exc:
            raise refuse(name, f"it is not a CSV text file ({exc}).", "Export it again as CSV in UTF-8.") from exc
        if len(lines) < 2:
            raise refuse(name, "it has no rows below the header.", "Export it again.")
        self.header = [c.strip() for c in lines[0][1]]
        if len(self.header) == 1:
            raise refuse(f"{name}, line 1", "there is one column.", "Separate columns by commas; decimals have points.")
        self.rows = lines[1:]
        for n, row in self.rows:
            if len(row) != len(self.header):
                raise refuse(
                    f"{name}, line {n}", f"{len(row)} columns, the header has {len(self.header)}.", "Correct the line."
                )

    def require(self, column: str) -> int:
        """Index of a column that must be there."""
        if column not in self.header:
            raise refuse(f"{self.name}, line 1", f"column '{column}' is missing.", "Name the columns as documented.")
        return self.header.index(column)

    def text(self, column: str) -> list[str]:
        """A column of texts."""
        at = self.require(column)
        return [row[at].strip() for _, row in self.rows]

    def numbers(self, column: str, *, is_negative_allowed: bool = False) -> Float:
        """A column of finite numbers."""
        at = self.require(column)
        values = np.empty(len(self.rows))
        for k, (n, row) in enumerate(self.rows):
            try:
                values[k] = float(row[at])
            except ValueError:
                values[k] = math.nan
            if not math.isfinite(values[k]) or (values[k] < 0 and not is_negative_allowed):
                raise refuse(
                    f"{self.name}, line {n}", f"'{row[at]}' in column '{column}' is no usable number.", "Correct it."
                )
        return values

    def rising(self, column: str, *, is_negative_allowed: bool = False) -> Float:
        """A column of numbers that rise from row to row."""
        values = self.numbers(column, is_negative_allowed=is_negative_allowed)
        falls = np.nonzero(np.diff(values) <= 0)[0]
        if len(falls):
            line = self.rows[int(falls[0]) + 1][0]
            raise refuse(f"{self.name}, line {line}", f"'{column}' does not rise.", "Sort the rows, no repeats.")
        return values

    def sigma(self, column: str, dose: Float) -> Float:
        """The column of standard deviations with a floor, or 1 % of the maximum where it is missing."""
        top = float(dose.max())
        if column not in self.header:
            return np.full_like(dose, _DEFAULT_SIGMA_FRAC * top)
        return np.maximum(self.numbers(column), 1e-4 * top)


def read_depth_dose(table: Csv, field: Field) -> Curve:
    """Depth dose in cGy/MU or percent, by the name of its column."""
    is_absolute = "dose_cgy_per_mu" in table.header
    unit = "cgy_per_mu" if is_absolute else "percent"
    dose = table.numbers(f"dose_{unit}")
    depth = table.rising("depth_cm")
    if dose.max() <= 0 or len(depth) < 10:
        raise refuse(table.name, "a depth dose needs ten points and a dose above zero.", "Export it again.")
    return Curve(
        kind="depth_dose",
        field=field,
        file=table.name,
        position_cm=depth,
        dose=dose,
        sigma=table.sigma(f"sigma_{unit}", dose),
        is_absolute=is_absolute,
    )


def read_profiles(table: Csv, field: Field, axis: str) -> list[Curve]:
    """One profile for each column 'dose_<depth>cm', cGy/MU."""
    if axis not in ("crossline", "inline"):
        raise refuse(table.name, f"axis '{axis}' is not known.", "Use 'crossline' (bev x) or 'inline' (bev y).")
    position = table.rising("position_cm", is_negative_allowed=True)
    curves = []
    for column in table.header:
        match = _DEPTH_COLUMN.match(column)
        if match is None:
            continue
        dose = table.numbers(column)
        if dose.max() <= 0:
            raise refuse(table.name, f"column '{column}' holds no dose.", "Export it again.")
        curves.append(
            Curve(
                kind="profile",
                field=field,
                file=table.name,
                axis=axis,
                depth_cm=float(match[1]),
                position_cm=position,
                dose=dose,
                sigma=table.sigma(f"sigma_{match[1]}cm", dose),
            )
        )
    if not curves:
        raise refuse(f"{table.name}, line 1", "there is no column 'dose_<depth>cm'.", "Name the columns as documented.")
    return curves


def read_outputs(table: Csv, machine: Machine) -> list[Output]:
    """Outputs in cGy/MU, one a row."""
    columns = [table.text("applicator"), table.text("cutout")]
    ssd, dose = table.numbers("ssd_cm"), table.numbers("output_cgy_per_mu")
    depth = table.numbers("depth_of_maximum_cm")
    sigma = table.numbers("relative_sigma") if "relative_sigma" in table.header else np.full_like(dose, 0.01)
    return [
        Output(
            field=make_field(a, c, float(ssd[k]), machine, f"{table.name}, line {table.rows[k][0]}"),
            cgy_per_mu=float(dose[k]),
            relative_sigma=max(float(sigma[k]), 1e-4),
            depth_of_maximum_cm=float(depth[k]),
        )
        for k, (a, c) in enumerate(zip(*columns, strict=True))
    ]


def read_cutout_factors(table: Csv, machine: Machine) -> list[Insert]:
    """Cutout factors of openings of any shape, one a row: dose with the cutout over dose with the open applicator."""
    width, length = table.numbers("width_cm"), table.numbers("length_cm")
    ssd, factor = table.numbers("ssd_cm"), table.numbers("cutout_factor")
    sigma = table.numbers("relative_sigma") if "relative_sigma" in table.header else np.zeros_like(factor)
    known = {a.id: max(a.opening_x_cm, a.opening_y_cm) for a in machine.applicators}
    found = []
    for k, applicator_id in enumerate(table.text("applicator")):
        where = f"{table.name}, line {table.rows[k][0]}"
        if applicator_id not in known:
            raise refuse(where, f"applicator '{applicator_id}' is not listed.", f"Listed are {', '.join(known)}.")
        if not 0 < width[k] <= length[k] or width[k] > known[applicator_id]:
            raise refuse(where, "width and length make no ellipse that fits.", "Give the shorter side as the width.")
        if not 0.3 < factor[k] < 1.2:
            raise refuse(where, f"{factor[k]:g} is no cutout factor.", "Give dose with cutout over dose open.")
        found.append(
            Insert(
                applicator_id=applicator_id,
                ssd_cm=float(ssd[k]),
                width_cm=float(width[k]),
                length_cm=float(length[k]),
                cutout_factor=float(factor[k]),
                relative_sigma=float(sigma[k]),
            )
        )
    return found


def read_air_profiles(table: Csv, applicator_id: str, machine: Machine, where: str) -> list[AirProfile]:
    """One profile in air for each column 'fluence_<distance>'."""
    field = make_field(applicator_id, OPEN, machine.sad_cm, machine, where)
    position = table.rising("position_cm", is_negative_allowed=True)
    found = []
    for column in table.header:
        match = _AIR_COLUMN.match(column)
        if match is None:
            continue
        fluence = table.numbers(column)
        if fluence.max() <= 0:
            raise refuse(table.name, f"column '{column}' holds no fluence.", "Export it again.")
        found.append(
            AirProfile(
                applicator_id=applicator_id,
                distance_cm=float(match[1]),
                width_cm=field.width_cm,
                position_cm=position,
                fluence=fluence,
                sigma=np.maximum(table.sigma(f"sigma_{match[1]}", fluence), 0.005 * fluence.max()),
            )
        )
    return found
