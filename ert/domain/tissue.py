"""What a plan's material overrides come to, as values."""

from __future__ import annotations

import attrs

from ert.domain.ct_curve import METAL_HU
from ert.geometry.grid import Float3


@attrs.frozen(kw_only=True)
class OverrideVolume:
    """One overridden structure.

    Attributes
    ----------
    volume_cc : of the whole structure.
    outside_cc : of its part outside EXTERNAL.
    effective_cc : where its material is used: later overrides win over the rest.
    """

    structure_number: int
    volume_cc: float
    outside_cc: float
    effective_cc: float


@attrs.frozen(kw_only=True)
class OverrideOverlap:
    """Where two overridden structures overlap: the later in the order wins there; ``point_cm`` lies in the middle."""

    loser_number: int
    winner_number: int
    volume_cc: float
    point_cm: Float3


@attrs.frozen(kw_only=True)
class MetalFound:
    """CT numbers above `METAL_HU` inside EXTERNAL that no override covers."""

    volume_cc: float
    point_cm: Float3


@attrs.frozen(kw_only=True)
class TissueReview:
    """Overrides in their order, overlaps, metal."""

    volumes: tuple[OverrideVolume, ...] = ()
    overlaps: tuple[OverrideOverlap, ...] = ()
    metal: MetalFound | None = None

    def volume(self, structure_number: int) -> OverrideVolume | None:
        """What is known of one overridden structure."""
        return next((v for v in self.volumes if v.structure_number == structure_number), None)


def metal_sentence(volume_cc: float) -> str:
    """The warning for metal; the same before the dose and with it."""
    return (
        f"{volume_cc:.2f} cm³ inside the patient has CT numbers above {METAL_HU} HU (metal?); "
        "the CT curve does not hold there. Contour it and give it a material."
    )
