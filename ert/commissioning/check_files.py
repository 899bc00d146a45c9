"""Phantom checks of a beam data folder: oblique incidence, irregular surfaces and inhomogeneities, kept out of the fit.

Each is a table ``[[check]]`` of ``beam_data.toml`` with the phantom in words and one CSV file for each line of points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ert.commissioning.curve_files import Csv, listed_file, refuse
from ert.commissioning.index_tables import Section, read_field, tables
from ert.commissioning.measured import LINE_AXES, CheckLine, PhantomBlock, PhantomCheck
from ert.domain.machine import Machine
from ert.domain.materials import material_named
from ert.errors import Refused

CHECK_KINDS = ("oblique", "heterogeneous")
_KEYS = ("name", "kind", "energy_mev", "applicator", "cutout", "ssd_cm", "incidence_deg", "lines", "block")
_BLOCK_KEYS = ("material", "x_cm", "y_cm", "depth_cm")
_LEAST_POINTS = 5
_MOST_INCIDENCE_DEG = 60.0
_SAME_CM = 1e-6


def read_checks(
    folder: Path, tree: Mapping[str, Any], energy_mev: float, machine: Machine, file: str
) -> tuple[tuple[PhantomCheck, ...], tuple[str, ...]]:
    """The checks of one energy, and what is listed but not there.

    Raises
    ------
    InvalidBeamData
        With table or file, line, what is wrong and what to do.
    """
    checks, missing = [], []
    names: set[str] = set()
    for s in tables(tree, "check", file, is_required=False):
        s.allow_only(*_KEYS)
        if s.number("energy_mev") != energy_mev:
            continue
        name, kind = s.text("name"), s.text("kind")
        if kind not in CHECK_KINDS:
            raise refuse(s.where, f"kind '{kind}' is not known.", f"Kinds are {', '.join(CHECK_KINDS)}.")
        if name in names:
            raise refuse(s.where, f"there are two checks '{name}' at {energy_mev:g} MeV.", "Rename one.")
        names.add(name)
        lines = []
        for path in _paths(s):
            place = listed_file(folder, path, s.where)
            if place.is_file():
                lines.append(read_line(Csv(place, path)))
            else:
                missing.append(f"{path} (check '{name}') is listed but not there")
        if lines:
            checks.append(
                PhantomCheck(
                    name=name, kind=kind, field=read_field(s, machine), incidence_deg=_incidence_deg(s),
                    blocks=_blocks(s), lines=tuple(lines),
                )
            )  # fmt: skip
    return tuple(checks), tuple(missing)


def read_line(table: Csv) -> CheckLine:
    """Points on one line along x, y or depth: columns x_cm, y_cm, depth_cm, dose_cgy_per_mu, sigma_cgy_per_mu."""
    points = [table.numbers(f"{axis}_cm", is_negative_allowed=True) for axis in LINE_AXES]
    moving = [axis for axis, values in zip(LINE_AXES, points, strict=True) if np.ptp(values) > _SAME_CM]
    if len(moving) != 1:
        found = "none" if not moving else " and ".join(moving)
        raise refuse(table.name, f"along a line one coordinate runs, here {found}.", "One file for each line.")
    dose = table.numbers("dose_cgy_per_mu")
    if len(dose) < _LEAST_POINTS or dose.max() <= 0:
        raise refuse(table.name, f"a line needs {_LEAST_POINTS} points and a dose above zero.", "Export it again.")
    return CheckLine(
        file=table.name,
        along=moving[0],
        start_cm=(float(points[0][0]), float(points[1][0]), float(points[2][0])),
        position_cm=table.rising(f"{moving[0]}_cm", is_negative_allowed=True),
        dose=dose,
        sigma=table.sigma("sigma_cgy_per_mu", dose),
    )


def _paths(s: Section) -> list[str]:
    value = s.values.get("lines")
    if not isinstance(value, list) or not value or not all(isinstance(v, str) and v for v in value):
        raise refuse(s.where, "'lines' must list at least one CSV file.", 'Write lines = ["12MeV/bar_x.csv"].')
    return value


def _incidence_deg(s: Section) -> float:
    value = s.values.get("incidence_deg", 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST_INCIDENCE_DEG:
        raise refuse(
            s.where, f"'incidence_deg' is {value!r}.", f"Give an angle of at most {_MOST_INCIDENCE_DEG:g} degrees."
        )
    return float(value)


def _blocks(s: Section) -> tuple[PhantomBlock, ...]:
    blocks = []
    for b in tables(s.values, "block", s.where, is_required=False):
        b.allow_only(*_BLOCK_KEYS)
        try:
            material = material_named(b.text("material"))
        except Refused as exc:
            raise refuse(b.where, exc.sentence, exc.hint or "Name a material of the library.") from exc
        blocks.append(
            PhantomBlock(
                material=material, x_cm=_extent(b, "x_cm"), y_cm=_extent(b, "y_cm"), depth_cm=_extent(b, "depth_cm")
            )
        )
    return tuple(blocks)


def _extent(b: Section, key: str) -> tuple[float, float]:
    value = b.values.get(key)
    numbers = value if isinstance(value, list) and all(isinstance(v, int | float) for v in value) else []
    if len(numbers) != 2 or not all(math.isfinite(v) for v in numbers) or not numbers[0] < numbers[1]:
        raise refuse(b.where, f"'{key}' must be [low, high] in cm, found {value!r}.", "Correct the file.")
    return float(numbers[0]), float(numbers[1])
