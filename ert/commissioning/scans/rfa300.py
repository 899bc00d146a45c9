"""RFA300 ASCII measurement dumps (`:MSR`, `:SYS BDS`, data lines `= x y z dose`), as OmniPro-Accept writes them.

Lengths are millimetres, except `%PRD` and `%BUP` in tenths of them. x and y are axes of the tank: which of them is the
machine's crossline axis, and which way it points, depends on how the tank stood and is not in the file.
"""

from __future__ import annotations

from ert.commissioning.scans.blocks import Block, read_blocks
from ert.commissioning.scans.scan import CHAMBER, DEPTH_DOSE, DIAGONAL, DIODE, ELECTRON, PROFILE, RefusedScan, Scan
from ert.commissioning.scans.text import TextFile, number, numbers, plausible_field_cm, plausible_ssd_cm
from ert.commissioning.scans.track import check_depth, check_width, follow

FORMAT = "RFA300"
_KINDS = {"DPT": DEPTH_DOSE, "PRO": PROFILE, "DIA": DIAGONAL}
_DETECTORS = {"ION": CHAMBER, "SEM": DIODE}
_UNITS = {"RAT": "relative", "ABS": "absolute dose", "INT": "integrated", "FLM": "film"}


def read_rfa300(file: TextFile) -> tuple[list[Scan], list[RefusedScan]]:
    """All curves of a file, and those that cannot be used.

    Raises
    ------
    InvalidBeamData
        The file is cut off: no `:EOM` or `:EOF`, or fewer measurements than `:MSR` says.
    """
    stated = None
    blocks: list[Block] = []
    begun: Block | None = None
    is_ended = False
    for line in file.filled:
        text = line.text
        if text.startswith(":MSR"):
            stated = int(number(text[4:].partition("#")[0], file, line.number))
        elif text.startswith((":EOM", ":EOF")):
            is_ended = is_ended or text.startswith(":EOF")
            if begun is not None:
                blocks.append(begun)
            begun = None
        elif text.startswith(("%", "=")):
            begun = begun or Block(line=line.number)
            _take(text, line.number, begun)
    if begun is not None or not is_ended:
        at = begun.line if begun is not None else file.lines[-1].number
        raise file.refuse(at, "the file is cut off: its end is missing.", "Export the file again.")
    return read_blocks(file, blocks, stated, _scan)


def _take(text: str, line: int, block: Block) -> None:
    if text.startswith("="):
        block.rows.append((line, text[1:].split()))
        return
    words = text[1:].partition("#")[0].split()
    if words:
        block.put(words[0].upper(), " ".join(words[1:]), line)


def _scan(block: Block, index: int, file: TextFile) -> Scan:
    beam = (block.get("BMT") or "").split()
    block.header["BMT"] = (block.line_of("BMT"), beam[0] if beam else "")
    block.require_electrons("BMT", {"ELE"}, file)
    block.require_points("PTS", file)
    block.require_zero("GPO", "the gantry angle", file)
    block.require_zero("CPO", "the collimator angle", file)
    block.require_zero("WEG", "the wedge angle", file)
    title, at = block.get("SCN"), block.line_of("SCN")
    if title not in _KINDS:
        raise file.refuse(at, f"the scan type is {title or 'not stated'}.", "Export depth doses and profiles only.")
    table = numbers(block.rows, file, columns=4)
    path = follow(table[:, :3] / 10.0, table[:, 3], file, block.line)
    if path.kind != _KINDS[title]:
        raise file.refuse(at, f"its type is {title}, its points make a {path.kind}.", "Export the file again.")
    depth = block.number_or_none("PRD", file)
    check_depth(path, depth / 100.0 if depth else None, file, block.line_of("PRD"))
    side_cm, remarks = _field(block, file)
    if path.kind == PROFILE:
        check_width(path.positions_cm, side_cm, file, block.line)
    ssd_mm = block.number_or_none("SSD", file)
    return Scan(
        file=file.name,
        index=index,
        line=block.line,
        file_format=FORMAT,
        modality=ELECTRON,
        energy_mev=number(beam[1], file, block.line_of("BMT")) if len(beam) > 1 else None,
        field_x_cm=side_cm,
        field_y_cm=side_cm,
        ssd_cm=None if ssd_mm is None else plausible_ssd_cm(ssd_mm / 10.0, file, block.line_of("SSD")),
        curve=path.kind,
        tank_axis=path.axis,
        depth_cm=path.depth_cm,
        positions_cm=path.positions_cm,
        values=path.values,
        unit=_UNITS.get(block.get("MOD") or ""),
        detector_kind=_DETECTORS.get(block.get("FLD") or ""),
        remarks=remarks,
    )


def _field(block: Block, file: TextFile) -> tuple[float | None, tuple[str, ...]]:
    """Side of a square field; of an oblong one the file does not say which side is which."""
    text, line = block.get("FSZ"), block.line_of("FSZ")
    if text is None:
        return None, ()
    sides = [plausible_field_cm(number(part, file, line) / 10.0, file, line) for part in text.split()]
    if len(sides) != 2:
        raise file.refuse(line, f"the field size '{text}' is not two sides.", "Export the file again.")
    if sides[0] != sides[1]:
        return None, (f"The field is {sides[0]:g} by {sides[1]:g} cm; the file does not say which side is which.",)
    return sides[0], ()
