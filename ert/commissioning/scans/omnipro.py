"""OmniPro-Accept and myQA Accept CSV exports: `Key:; value`, `Points [mm]:`, rows of inline; crossline; depth; values.

Separators are semicolon, tab, or comma with decimal points; decimals with point or comma. Which way the inline and
crossline axes of the tank point is not in the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ert.commissioning.scans.blocks import Block, read_blocks
from ert.commissioning.scans.scan import (
    AIR,
    CHAMBER,
    CYLINDRICAL,
    DEPTH_DOSE,
    DIAMOND,
    DIODE,
    ELECTRON,
    PLANE_PARALLEL,
    PROFILE,
    WATER,
    Float,
    RefusedScan,
    Scan,
)
from ert.commissioning.scans.text import TextFile, lengths_cm, number, numbers, plausible_field_cm, plausible_ssd_cm
from ert.commissioning.scans.track import Track, check_width, follow

FORMAT = "OmniPro CSV"
_POINTS = re.compile(r"^Points\s*\[\s*(\w+)\s*\]\s*:?", re.IGNORECASE)
_ENERGY = re.compile(r"([\d.,]+)\s*(MeV|MV)\b", re.IGNORECASE)
_MOST_COLUMNS = 6  # three positions, field, reference, their ratio; more: commas separate and are decimal signs
_BY_COMMA = re.compile(r"\.\d*\s*,|,\s*[+-]?\d*\.|,\s+\S|,[^,\s]*,")
"""A comma that separates: beside a number with a decimal point, before a blank, or one of several without blanks."""
_ROW = re.compile(r"^[+-]?[.,]?\d")
_KINDS = {"beam": "z", "depth": "z", "depth dose": "z", "crossline": "x", "inline": "y"}
_NAMES = {"x": ("crossline", "cross"), "y": ("inline", "in"), "z": ("depth", "beam")}
_MEDIA = {"water": WATER, "air": AIR}
_DETECTORS = (
    ("cylindrical", CYLINDRICAL), ("plane", PLANE_PARALLEL), ("parallel", PLANE_PARALLEL), ("diamond", DIAMOND),
    ("diode", DIODE), ("chamber", CHAMBER),
)  # fmt: skip


def read_omnipro(file: TextFile) -> tuple[list[Scan], list[RefusedScan]]:
    """All curves of a file, and those that cannot be used; `InvalidBeamData` where it holds none or is cut off."""
    blocks: list[Block] = []
    begun = Block(line=1)
    in_data = False
    for line in file.lines:
        if in_data and not line.text and begun.rows:
            blocks.append(begun)
            begun, in_data = Block(line=line.number + 1), False
        elif in_data and line.text and not begun.rows and not _ROW.match(line.text):
            begun.put("columns", line.text, line.number)
        elif in_data and line.text:
            begun.rows.append((line.number, _cells(line.text)))
        elif match := _POINTS.match(line.text):
            begun.put("points", match[1].lower(), line.number)
            in_data = True
        elif ":" in line.text:
            key, _, value = line.text.partition(":")
            begun.put(key.strip().lower(), value.strip(" ;,\t"), line.number)
    if in_data:
        blocks.append(begun)
    elif len(begun.header) > 1:
        raise file.refuse(begun.line, "the file is cut off: this curve has no points.", "Export the file again.")
    return read_blocks(file, blocks, None, _scan)


def _cells(text: str) -> list[str]:
    separator = next((s for s in ";\t" if s in text), None)
    if separator is None and _BY_COMMA.search(text):
        separator = ","
    cells = text.split(separator) if separator else text.split()
    while cells and not cells[-1].strip():
        cells.pop()
    return [cell.strip() for cell in cells]


def _scan(block: Block, index: int, file: TextFile) -> Scan:
    energy = _energy(block, file)
    for key in ("gantry angle", "collimator angle", "wedge angle"):
        block.require_zero(key, f"the {key}", file)
    kind = (block.get("scan type") or "").lower()
    if kind not in _KINDS:
        raise file.refuse(
            block.line_of("scan type"), f"the scan type is '{kind}'.", "Export depth, inline and crossline scans only."
        )
    path, remark = _path(block, file)
    if path.axis != _KINDS[kind]:
        raise file.refuse(
            block.line_of("scan type"),
            f"the scan type is {kind}, its points move along {path.axis}.",
            "Export it again.",
        )
    sides = _lengths(block, "field size", file)
    ssd = _lengths(block, "ssd", file)
    side = sides[0] if sides is not None and len(sides) == 2 and sides[0] == sides[1] else None
    if side is not None:
        plausible_field_cm(side, file, block.line_of("field size"))
    if path.kind == PROFILE:
        check_width(path.positions_cm, side, file, block.line)
    detector = block.get("detector") or block.get("detector type")
    return Scan(
        file=file.name,
        index=index,
        line=block.line,
        file_format=FORMAT,
        modality=ELECTRON,
        energy_mev=energy,
        applicator=block.get("applicator"),
        field_x_cm=side,
        field_y_cm=side,
        ssd_cm=None if not ssd else plausible_ssd_cm(ssd[0], file, block.line_of("ssd")),
        curve=DEPTH_DOSE if path.kind == DEPTH_DOSE else PROFILE,
        tank_axis={"x": "crossline", "y": "inline", "z": "depth"}[path.axis],
        depth_cm=path.depth_cm,
        positions_cm=path.positions_cm,
        values=path.values,
        unit=block.get("measured quantity") or block.get("quantity"),
        detector=detector,
        detector_kind=next((k for part, k in _DETECTORS if part in (detector or "").lower()), None),
        medium=_MEDIA.get((block.get("measurement medium") or block.get("medium") or "").lower()),
        remarks=remark,
    )


def _energy(block: Block, file: TextFile) -> float:
    match = _ENERGY.search(block.get("energy") or "")
    if match is None:
        raise file.refuse(block.line, "the energy is not stated with its unit.", "Export it with MV or MeV.")
    if match[2].lower() == "mv":
        raise file.refuse(block.line_of("energy"), "the beam is photons, not electrons.", "ERT plans electrons only.")
    return number(match[1], file, block.line_of("energy"))


def _lengths(block: Block, key: str, file: TextFile) -> list[float] | None:
    text = block.get(key)
    return None if text is None else lengths_cm(text, file, block.line_of(key))


def _path(block: Block, file: TextFile) -> tuple[Track, tuple[str, ...]]:
    unit = block.get("points")
    if unit not in ("mm", "cm"):
        raise file.refuse(block.line_of("points"), f"positions are in '{unit}'.", "Export them in mm or cm.")
    if not block.rows:
        raise file.refuse(block.line, "the curve has no points.", "Export the file again.")
    table = numbers(block.rows, file, columns=len(block.rows[0][1]))
    order, remarks = _columns(block, file)
    if not 4 <= table.shape[1] <= _MOST_COLUMNS:
        raise file.refuse(
            block.rows[0][0], f"{table.shape[1]} columns where four to six belong.", "Export it with semicolons."
        )
    points = table[:, order] / (10.0 if unit == "mm" else 1.0)
    values, more = _values(table)
    return follow(points, values, file, block.line), remarks + more


def _columns(block: Block, file: TextFile) -> tuple[Sequence[int], tuple[str, ...]]:
    """Columns of x (crossline), y (inline), z; by their names where the file gives them."""
    cells = [cell.lower() for cell in _cells(block.get("columns") or "")]
    named = {axis: [k for k, c in enumerate(cells) if c.startswith(names)] for axis, names in _NAMES.items()}
    if all(len(found) == 1 for found in named.values()):
        return [named[axis][0] for axis in "xyz"], ()
    if any(named.values()):
        raise file.refuse(block.line_of("columns"), "the names of the columns are not understood.", "Export it again.")
    return [1, 0, 2], ("The columns are not named: taken as inline, crossline, depth, as the format lays them out.",)


def _values(table: Float) -> tuple[Float, tuple[str, ...]]:
    """The fourth column, or the sixth (field over reference) where it was measured."""
    if table.shape[1] == 6 and np.any(table[:, 5] != 0.0):
        return table[:, 5], ("Values are the sixth column, field over reference signal.",)
    return table[:, 3], ()
