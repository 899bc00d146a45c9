"""Blocks of scanner files: one curve's header and rows, and the loop over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ert.commissioning.scans.scan import RefusedScan, Scan
from ert.commissioning.scans.text import TextFile, number
from ert.errors import InvalidBeamData


class Block:
    """Header and rows of one curve while its file is read."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.header: dict[str, tuple[int, str]] = {}
        self.rows: list[tuple[int, Sequence[str]]] = []

    def put(self, key: str, value: str, line: int) -> None:
        """Keep a header value; the first one of a key counts."""
        self.header.setdefault(key, (line, value.strip()))

    def get(self, key: str) -> str | None:
        """A header value, or None where it is absent or empty."""
        return self.header.get(key, (0, ""))[1] or None

    def line_of(self, key: str) -> int:
        """Line of a header value, else where the curve begins."""
        return self.header.get(key, (self.line, ""))[0]

    def number_or_none(self, key: str, file: TextFile) -> float | None:
        """A header value as a number."""
        text = self.get(key)
        return None if text is None else number(text, file, self.line_of(key))

    def require_electrons(self, key: str, names: set[str], file: TextFile) -> None:
        """Refuse other beams, and a beam whose kind is not stated."""
        beam = self.get(key)
        if beam is None:
            raise file.refuse(self.line, "the kind of beam is not stated.", "Export it with its beam type.")
        if beam.upper() not in names:
            raise file.refuse(self.line_of(key), f"the beam is '{beam}', not electrons.", "ERT plans electrons only.")

    def require_zero(self, key: str, what: str, file: TextFile) -> None:
        """Refuse a header value (an angle, an offset in the file's own unit) that is stated and not zero."""
        value = self.number_or_none(key, file)
        if value is not None and abs(value) > 0.5:
            raise file.refuse(self.line_of(key), f"{what} is {value:g}.", "Measure with it at 0.")

    def require_points(self, key: str, file: TextFile) -> None:
        """Refuse a curve that does not hold as many points as its header says."""
        stated = self.number_or_none(key, file)
        if stated is not None and int(stated) != len(self.rows):
            raise file.refuse(
                self.line_of(key),
                f"the header says {stated:g} points, there are {len(self.rows)}.",
                "The file is cut off or was edited: export it again.",
            )


def read_blocks(
    file: TextFile, blocks: Sequence[Block], stated: int | None, to_scan: Callable[[Block, int, TextFile], Scan]
) -> tuple[list[Scan], list[RefusedScan]]:
    """Every block as a scan or as a refusal; a fault of one curve does not spoil the others.

    Raises
    ------
    InvalidBeamData
        There are no curves, or not as many as the file says.
    """
    if not blocks:
        raise file.refuse(1, "it holds no curve.", "Export the file again.")
    if stated is not None and stated != len(blocks):
        raise file.refuse(
            1, f"it says that it holds {stated} curves and holds {len(blocks)}.", "It is cut off: export it again."
        )
    scans: list[Scan] = []
    refused: list[RefusedScan] = []
    for index, block in enumerate(blocks, start=1):
        try:
            scans.append(to_scan(block, index, file))
        except InvalidBeamData as error:
            refused.append(
                RefusedScan(file=file.name, index=index, line=block.line, reason=error.sentence, todo=error.hint)
            )
    return scans, refused
