"""How obliquely beams meet the surface, against the incidence their models were verified at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import attrs

from ert.domain.beam import Beam
from ert.domain.beam_model import BeamModel
from ert.domain.image import DensityOverride
from ert.domain.record import Finding, Severity
from ert.domain.structure import Structure, StructureRole, StructureSet
from ert.errors import Refused

OBLIQUE_DEG = 30.0
"""Beyond it depth dose and output change by more than engines are asked for (AAPM TG-25; MPPG 5.b allows 5 %)."""
_STRAIGHT_DEG = 5.0
"""Surfaces drawn on CT are never flat: closer than this to a verified incidence nothing is said below `OBLIQUE_DEG`."""
_ROUNDING_DEG = 0.5


@attrs.frozen(kw_only=True)
class Incidence:
    """A beam's angle to the surface's normal, and to what angle its model was verified (None where it does not say)."""

    angle_deg: float
    verified_deg: float | None

    @property
    def severity(self) -> Severity | None:
        """How grave it is; None where there is nothing to say.

        Never a blocker: patients are not flat. Up to `OBLIQUE_DEG` engines follow the slope within a few per cent,
        which is a note; beyond it, unverified, the dose must be measured.
        """
        verified_deg = self.verified_deg or 0.0
        if self.angle_deg <= verified_deg + _ROUNDING_DEG:
            return None
        if self.angle_deg > OBLIQUE_DEG:
            return Severity.WARNING
        is_told = self.verified_deg is not None and self.angle_deg > verified_deg + _STRAIGHT_DEG
        return Severity.NOTE if is_told else None

    @property
    def sentence(self) -> str:
        """What is said of it; empty where there is nothing to say."""
        if self.severity is None:
            return ""
        to = "" if self.verified_deg is None else f", verified to {self.verified_deg:.0f}°"
        where = f"Incidence {self.angle_deg:.0f}°{to}: the axis meets the surface at that angle from its normal"
        if self.severity is Severity.NOTE:
            return f"{where}; no measurement of this beam model covers it."
        return f"{where}; beyond {OBLIQUE_DEG:g}° depth dose and output change: verify by measurement."


def incidence(angle_deg: float | None, model: BeamModel) -> Incidence | None:
    """Of a beam of that model; None if its axis misses."""
    measured = model.validity.measured
    verified_deg = None if measured is None else measured.incidence_max_deg
    return None if angle_deg is None else Incidence(angle_deg=angle_deg, verified_deg=verified_deg)


def surfaces_met(
    external: Structure, overrides: Iterable[DensityOverride], structures: StructureSet
) -> tuple[Structure, ...]:
    """Structures whose surface a beam may meet first: the external contour, and every bolus that has a material."""
    given = (structures.structure(o.structure_number) for o in overrides)
    return (external, *(s for s in given if s.role is StructureRole.BOLUS and not s.is_empty))


def incidence_findings(beams: tuple[Beam, ...], of_beam: Callable[[Beam], Incidence | None]) -> Iterator[Finding]:
    """At most one for each beam, code `oblique`; nothing where there is no angle, which other checks tell."""
    for beam in beams:
        try:
            found = of_beam(beam)
        except Refused:
            continue  # no outline, no machine, source in the patient: blockers of the plan's other checks
        if found is not None and found.severity is not None:
            yield Finding(
                severity=found.severity,
                code="oblique",
                sentence=f"Beam '{beam.name}': {found.sentence}",
                subject=beam.name,
            )
