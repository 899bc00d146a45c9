"""A curve on its way from scan to beam data: the raw scan stays with it, each step adds a sentence to its history."""

from __future__ import annotations

from typing import Any

import attrs

from ert.commissioning.scans.scan import AIR, DEPTH_DOSE, Float, Scan
from ert.domain.identity import read_only


@attrs.frozen(kw_only=True)
class WorkingCurve:
    """One curve with what was done to it.

    Attributes
    ----------
    scan : as read; never changed.
    curve : DEPTH_DOSE, CROSSLINE or INLINE.
    depth_cm : of a profile.
    position_cm, value : (n,) rising positions; values in `unit`.
    unit : of the value: the scan's own until the curve is normalised to cGy/MU.
    history : one sentence for each step.
    """

    scan: Scan
    curve: str
    depth_cm: float | None
    position_cm: Float = attrs.field(converter=read_only, repr=False)
    value: Float = attrs.field(converter=read_only, repr=False)
    unit: str
    history: tuple[str, ...] = ()

    @property
    def is_depth_dose(self) -> bool:
        """Positions are depths."""
        return self.curve == DEPTH_DOSE

    @property
    def is_in_air(self) -> bool:
        """Measured without phantom."""
        return self.scan.medium == AIR

    def after(self, sentence: str, **changes: Any) -> WorkingCurve:  # noqa: ANN401 - forwarded to attrs.evolve
        """The curve after a step."""
        return attrs.evolve(self, history=(*self.history, sentence), **changes)


def begin(scan: Scan) -> WorkingCurve:
    """The curve as it was measured."""
    unit = scan.unit or "not stated"
    return WorkingCurve(
        scan=scan,
        curve=scan.curve,
        depth_cm=scan.depth_cm,
        position_cm=scan.positions_cm,
        value=scan.values,
        unit=unit,
        history=(
            f"Read from {scan.name} ({scan.file_format}): {len(scan.values)} points, unit {unit.rstrip('.')}.",
            *scan.remarks,
        ),
    )
