"""How obliquely beams meet the skin: beam models are measured at right angles."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ert.domain.beam import Beam
from ert.domain.record import Finding, Severity
from ert.errors import Refused

OBLIQUE_DEG = 30.0
"""Beyond it depth dose and output change by more than engines are asked for (AAPM TG-25; MPPG 5.b allows 5 %)."""


def incidence_sentence(angle_deg: float | None) -> str | None:
    """The warning for a beam whose axis meets the skin at an angle; None up to `OBLIQUE_DEG`, or if it misses."""
    if angle_deg is None or angle_deg <= OBLIQUE_DEG:
        return None
    return (
        f"The axis meets the skin at {angle_deg:.0f}° from its normal; beam models are measured at right angles, and "
        f"beyond {OBLIQUE_DEG:g}° depth dose and output change: verify by measurement."
    )


def incidence_findings(beams: tuple[Beam, ...], obliquity_deg: Callable[[Beam], float | None]) -> Iterator[Finding]:
    """A warning for each oblique beam, code `oblique`; nothing where there is no angle, which other checks tell."""
    for beam in beams:
        try:
            sentence = incidence_sentence(obliquity_deg(beam))
        except Refused:
            continue  # no outline, no machine, source in the patient: blockers of the plan's other checks
        if sentence is not None:
            yield Finding(
                severity=Severity.WARNING, code="oblique", sentence=f"Beam '{beam.name}': {sentence}", subject=beam.name
            )
