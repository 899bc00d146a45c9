"""PTW mcc files (`BEGIN_SCAN_DATA`, `BEGIN_SCAN n`, `BEGIN_DATA`), as MEPHYSTO and BEAMSCAN write them.

Lengths are millimetres. Data lines hold position, corrected value and, if there was one, the reference signal. The
directions of the tank's axes are stated: GUN_TARGET runs away from the gantry, which is against bev y of IEC 61217;
LEFT_RIGHT runs to the right of a viewer who faces the gantry, which is along bev x.
"""

from __future__ import annotations

import re

import numpy as np

from ert.commissioning.scans.blocks import Block, read_blocks
from ert.commissioning.scans.scan import (
    AIR,
    CHAMBER,
    CROSSLINE,
    CYLINDRICAL,
    DEPTH_DOSE,
    DIAGONAL,
    DIAMOND,
    DIODE,
    ELECTRON,
    INLINE,
    PLANE_PARALLEL,
    PROFILE,
    WATER,
    RefusedScan,
    Scan,
)
from ert.commissioning.scans.text import LEAST_POINTS, TextFile, numbers, plausible_field_cm, plausible_ssd_cm
from ert.commissioning.scans.track import OFF_AXIS_CM, check_width

FORMAT = "PTW mcc"
_KINDS = {"PDD": DEPTH_DOSE, "CROSSPLANE_PROFILE": CROSSLINE, "INPLANE_PROFILE": INLINE}
_DIRECTIONS = {"LEFT_RIGHT": 1.0, "RIGHT_LEFT": -1.0, "TARGET_GUN": 1.0, "GUN_TARGET": -1.0}
_DETECTORS = (
    ("THIMBLE", CYLINDRICAL), ("PLANE", PLANE_PARALLEL), ("PARALLEL", PLANE_PARALLEL), ("DIAMOND", DIAMOND),
    ("DIODE", DIODE), ("SEMICONDUCTOR", DIODE), ("CHAMBER", CHAMBER),
)  # fmt: skip
_MEDIA = {"WATER": WATER, "AIR": AIR}
_BEGIN = re.compile(r"BEGIN_SCAN\s")


def read_mcc(file: TextFile) -> tuple[list[Scan], list[RefusedScan]]:
    """All curves of a file, and those that cannot be used.

    Raises
    ------
    InvalidBeamData
        The file is cut off, or its BEGIN and END lines do not match.
    """
    lines = list(file.filled)
    if not any(line.text == "END_SCAN_DATA" for line in lines):
        raise file.refuse(lines[-1].number, "the file is cut off: END_SCAN_DATA is missing.", "Export the file again.")
    blocks: list[Block] = []
    begun: Block | None = None
    in_data = False
    for line in lines:
        text = line.text
        if _BEGIN.match(text):
            if begun is not None:
                raise file.refuse(line.number, "a scan begins before the last one ended.", "Export the file again.")
            begun = Block(line=line.number)
        elif begun is None:
            continue
        elif text.startswith("END_SCAN"):
            if in_data or text == "END_SCAN_DATA":
                raise file.refuse(line.number, "a scan ends within its data.", "Export it again.")
            blocks.append(begun)
            begun = None
        elif text in ("BEGIN_DATA", "END_DATA"):
            in_data = text == "BEGIN_DATA"
        else:
            _take(text, line.number, begun, in_data=in_data)
    if begun is not None:
        raise file.refuse(begun.line, "the file is cut off: this scan does not end.", "Export the file again.")
    return read_blocks(file, blocks, None, _scan)


def _take(text: str, line: int, block: Block, *, in_data: bool) -> None:
    if in_data:
        block.rows.append((line, text.split()))
    elif "=" in text:
        key, _, value = text.partition("=")
        block.put(key.strip().upper(), value, line)


def _scan(block: Block, index: int, file: TextFile) -> Scan:
    block.require_electrons("MODALITY", {"EL", "E", "ELECTRONS"}, file)
    _require_upright(block, file)
    title, at = block.get("SCAN_CURVETYPE"), block.line_of("SCAN_CURVETYPE")
    if title not in _KINDS:
        raise file.refuse(at, f"the curve type is {title or 'not stated'}.", "Export PDDs and profiles only.")
    curve = DIAGONAL if (block.get("SCAN_DIAGONAL") or "NOT_DIAGONAL") != "NOT_DIAGONAL" else _KINDS[title]
    if curve in (CROSSLINE, INLINE) and abs(block.number_or_none("SCAN_ANGLE", file) or 0.0) > 0.5:
        curve = DIAGONAL
    _require_axis(block, curve, file)
    if len(block.rows) < LEAST_POINTS:
        raise file.refuse(block.line, f"a curve of {len(block.rows)} points is too short.", "Export the whole scan.")
    table = numbers(block.rows, file, columns=3 if len(block.rows[0][1]) == 3 else 2)
    direction, remark = _direction(block, curve, file)
    positions = (table[:, 0] / 10.0) * (direction or 1.0)
    order = np.argsort(positions, kind="stable")
    sizes = {key: _length(block, key, file) for key in ("FIELD_CROSSPLANE", "FIELD_INPLANE")}
    for key, size in sizes.items():
        if size is not None:
            plausible_field_cm(size, file, block.line_of(key))
    ssd = _length(block, "SSD", file)
    if curve in (CROSSLINE, INLINE):
        check_width(positions, sizes["FIELD_CROSSPLANE" if curve == CROSSLINE else "FIELD_INPLANE"], file, block.line)
    radius = _length(block, "DETECTOR_RADIUS", file)
    return Scan(
        file=file.name,
        index=index,
        line=block.line,
        file_format=FORMAT,
        modality=ELECTRON,
        energy_mev=block.number_or_none("ENERGY", file),
        field_x_cm=sizes["FIELD_CROSSPLANE"],
        field_y_cm=sizes["FIELD_INPLANE"],
        ssd_cm=None if ssd is None else plausible_ssd_cm(ssd, file, block.line_of("SSD")),
        curve=PROFILE if direction is None else curve,
        tank_axis="depth" if curve == DEPTH_DOSE else curve,
        depth_cm=None if curve == DEPTH_DOSE else _length(block, "SCAN_DEPTH", file),
        positions_cm=positions[order],
        values=table[order, 1],
        unit=block.get("MEAS_UNIT"),
        detector=block.get("DETECTOR_NAME"),
        detector_kind=_detector(block.get("DETECTOR")),
        detector_radius_cm=radius if radius else None,
        medium=_MEDIA.get(block.get("MEAS_MEDIUM") or ""),
        remarks=remark,
    )


def _length(block: Block, key: str, file: TextFile) -> float | None:
    value = block.number_or_none(key, file)
    return None if value is None else value / 10.0


def _require_upright(block: Block, file: TextFile) -> None:
    """Refuse a beam from aside and a turned collimator: tank axes would not be beam's-eye axes."""
    gantry, upright = (block.number_or_none(k, file) or 0.0 for k in ("GANTRY", "GANTRY_UPRIGHT_POSITION"))
    if abs((gantry - upright + 180.0) % 360.0 - 180.0) > 0.5:
        raise file.refuse(
            block.line_of("GANTRY"), f"the gantry stood at {gantry:g}°.", "Measure with the beam upright."
        )
    block.require_zero("COLL_ANGLE", "the collimator angle", file)
    block.require_zero("WEDGE_ANGLE", "the wedge angle", file)


def _require_axis(block: Block, curve: str, file: TextFile) -> None:
    across = {CROSSLINE: ("INPLANE",), INLINE: ("CROSSPLANE",)}.get(curve, ("INPLANE", "CROSSPLANE"))
    for name in across:
        key = f"SCAN_OFFAXIS_{name}"
        if abs(_length(block, key, file) or 0.0) > OFF_AXIS_CM:
            raise file.refuse(block.line_of(key), "the scan does not pass the central axis.", "Scan through the axis.")


def _direction(block: Block, curve: str, file: TextFile) -> tuple[float | None, tuple[str, ...]]:
    """Sign from the file's axis to ERT's, None where the file does not state it; and a sentence about it."""
    if curve == DIAGONAL:
        return 1.0, ()
    name = {DEPTH_DOSE: "DEPTH", CROSSLINE: "CROSSPLANE", INLINE: "INPLANE"}[curve]
    key = f"{name}_AXIS_DIR"
    stated = block.get(key)
    if curve == DEPTH_DOSE:
        if stated not in (None, "UP_DOWN"):
            raise file.refuse(block.line_of(key), f"the depth axis runs {stated}.", "Export with depth downwards.")
        return 1.0, ()
    if stated is None:
        return None, ()
    if stated not in _DIRECTIONS or (stated.endswith(("GUN", "TARGET")) != (curve == INLINE)):
        raise file.refuse(block.line_of(key), f"the direction {stated} is not known.", "Export the file again.")
    if _DIRECTIONS[stated] > 0:
        return 1.0, (f"{stated} is bev {'x' if curve == CROSSLINE else 'y'} of IEC 61217: kept.",)
    return -1.0, (f"{stated} is against bev {'x' if curve == CROSSLINE else 'y'} of IEC 61217: signs turned.",)


def _detector(text: str | None) -> str | None:
    return next((kind for part, kind in _DETECTORS if part in (text or "").upper()), None)
