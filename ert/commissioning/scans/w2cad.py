"""W2CAD text files (`$STOM … $ENOM`), as scanner programs write them for Eclipse.

Lengths are millimetres, values percent, data `<x y z dose>`; x and y are IEC 61217 axes (x crossline, y inline towards
the gantry), z is depth. The energy is not part of the format. Described in Varian's Eclipse algorithms reference.
"""

from __future__ import annotations

import re

import attrs

from ert.commissioning.scans.blocks import Block, read_blocks
from ert.commissioning.scans.scan import (
    CHAMBER,
    CROSSLINE,
    DEPTH_DOSE,
    DIAMOND,
    DIODE,
    ELECTRON,
    INLINE,
    PROFILE,
    RefusedScan,
    Scan,
)
from ert.commissioning.scans.text import TextFile, number, numbers, plausible_field_cm, plausible_ssd_cm
from ert.commissioning.scans.track import check_depth, check_width, follow

FORMAT = "W2CAD"
_KINDS = {"OPD": DEPTH_DOSE, "OPP": PROFILE, "DPR": "diagonal"}
_DETECTORS = {"CHA": CHAMBER, "DIO": DIODE, "DIA": DIAMOND}
_AXES = {"X": "x", "Y": "y", "Z": "z", "D": "xy"}
_OPEN, _CLOSE = re.compile(r"\$STO[MD]\b"), re.compile(r"\$ENO[MD]\b")


def read_w2cad(file: TextFile) -> tuple[list[Scan], list[RefusedScan]]:
    """All curves of a file, and those that cannot be used.

    Raises
    ------
    InvalidBeamData
        The file is cut off: a curve does not end, or there are fewer than `$NUMS` says.
    """
    stated = None
    for line in file.filled:
        if line.text.startswith("$NUMS"):
            stated = int(number(line.text[5:], file, line.number))
            break
    return read_blocks(file, _blocks(file), stated, _scan)


def _blocks(file: TextFile) -> list[Block]:
    """Blocks between the tags; that $STOD means depth dose is left to the titles, as some exports misuse it."""
    found: list[Block] = []
    begun: Block | None = None
    for line in file.filled:
        if _OPEN.match(line.text):
            if begun is not None:
                raise file.refuse(line.number, "a curve begins before the last one ended.", "Export the file again.")
            begun = Block(line=line.number)
        elif _CLOSE.match(line.text):
            if begun is None:
                raise file.refuse(line.number, "a curve ends that never began.", "Export the file again.")
            found.append(begun)
            begun = None
        elif begun is not None:
            _take(line.text, line.number, begun, file)
    if begun is not None:
        raise file.refuse(begun.line, "the file is cut off: this curve does not end.", "Export the file again.")
    return found


def _take(text: str, line: int, block: Block, file: TextFile) -> None:
    if text.startswith("%"):
        key, _, value = text[1:].partition(" ")
        block.put(key.upper(), value, line)
    elif text.startswith("<"):
        if not text.endswith(">"):
            raise file.refuse(line, "a data point does not end with '>'.", "Export the file again.")
        block.rows.append((line, text[1:-1].split()))
    elif text.startswith("#"):
        label, _, value = text[1:].partition(":")
        block.put("# " + label.strip().lower(), value, line)


def _scan(block: Block, index: int, file: TextFile) -> Scan:
    block.require_electrons("BMTY", {"ELE"}, file)
    block.require_points("PNTS", file)
    title, at = block.get("TYPE"), block.line_of("TYPE")
    if title not in _KINDS:
        what = "gives no %TYPE" if title is None else f"is of type {title}"
        raise file.refuse(at, f"the curve {what}.", "Export open depth doses (OPD) and open profiles (OPP) only.")
    table = numbers(block.rows, file, columns=4)
    path = follow(table[:, :3] / 10.0, table[:, 3], file, block.line)
    if path.kind != _KINDS[title]:
        raise file.refuse(at, f"its type is {title}, its points make a {path.kind}.", "Export the file again.")
    axis = block.get("AXIS")
    if axis is not None and _AXES.get(axis) != path.axis:
        raise file.refuse(
            block.line_of("AXIS"), f"%AXIS is {axis}, its points move along {path.axis}.", "Export again."
        )
    size = _field(block, file)
    depth_mm = block.get("DPTH")
    check_depth(
        path, None if depth_mm is None else number(depth_mm, file, block.line_of("DPTH")) / 10.0, file, block.line
    )
    ssd_mm = block.get("SSD")
    scan = Scan(
        file=file.name,
        index=index,
        line=block.line,
        file_format=FORMAT,
        modality=ELECTRON,
        field_x_cm=size[0],
        field_y_cm=size[1],
        ssd_cm=None
        if ssd_mm is None
        else plausible_ssd_cm(number(ssd_mm, file, block.line_of("SSD")) / 10.0, file, block.line_of("SSD")),
        curve=path.kind,
        tank_axis=path.axis,
        depth_cm=path.depth_cm,
        positions_cm=path.positions_cm,
        values=path.values,
        unit="percent",
        detector=block.get("# detector"),
        detector_kind=_DETECTORS.get(block.get("DETY") or ""),
    )
    if path.kind != PROFILE:
        return scan
    curve = CROSSLINE if path.axis == "x" else INLINE
    check_width(path.positions_cm, size[0] if curve == CROSSLINE else size[1], file, block.line)
    return attrs.evolve(
        scan, curve=curve, remarks=("x and y are taken as IEC 61217 axes, as the format defines them.",)
    )


def _field(block: Block, file: TextFile) -> tuple[float | None, float | None]:
    text, line = block.get("FLSZ"), block.line_of("FLSZ")
    if text is None:
        return None, None
    parts = text.split("*")
    if len(parts) != 2:
        raise file.refuse(line, f"the field size '{text}' is not 'x*y'.", "Export the file again.")
    x, y = (plausible_field_cm(number(part, file, line) / 10.0, file, line) for part in parts)
    return x, y
