"""One electron beam as planned."""

from __future__ import annotations

import attrs

from ert.domain.algorithm import Algorithm
from ert.domain.device import Aperture
from ert.domain.identity import ADDED_LATER, new_id
from ert.errors import InvalidPlan
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import Float3


def _angle(value: float) -> float:
    return float(value) % 360.0


@attrs.frozen(kw_only=True)
class Beam:
    """A static electron beam.

    Attributes
    ----------
    number : DICOM Beam Number, unique in its plan.
    machine_name, energy_mev, applicator_id : what treats.
    model_digest : the exact beam model the dose is computed with.
    machine_digest : the version of the machine (its configuration) the beam was planned with; empty for beams planned
        before versions were recorded.
    isocentre_cm : in the patient, LPS.
    gantry_deg, collimator_deg, couch_deg : IEC 61217, kept within 0–360.
    ssd_cm : source to external contour along the central axis, computed, never typed; None until an external contour
        and isocentre are known.
    aperture : opening of the cutout.
    weight : share of the prescription, > 0 … relative to the other beams.
    mu : monitor units for one fraction; None until normalised.
    reasons : why automatic values were proposed, by field name.
    algorithm : the engine that computes this beam; None for the plan's.
    """

    id: str = attrs.field(factory=new_id)
    number: int
    name: str
    machine_name: str
    energy_mev: float
    applicator_id: str
    model_digest: str
    machine_digest: str = attrs.field(default="", metadata=ADDED_LATER)
    isocentre_cm: Float3
    gantry_deg: float = attrs.field(converter=_angle)
    collimator_deg: float = attrs.field(converter=_angle, default=0.0)
    couch_deg: float = attrs.field(converter=_angle, default=0.0)
    ssd_cm: float | None = None
    aperture: Aperture
    target_number: int | None = None
    weight: float = 1.0
    mu: float | None = None
    colour: tuple[int, int, int] = (255, 200, 60)
    reasons: tuple[tuple[str, str], ...] = attrs.field(validator=attrs.validators.instance_of(tuple), factory=tuple)
    algorithm: Algorithm | None = attrs.field(
        default=None, converter=attrs.converters.optional(Algorithm), metadata=ADDED_LATER
    )

    def __attrs_post_init__(self) -> None:
        if self.weight <= 0:
            raise InvalidPlan(f"Beam '{self.name}': the weight must be above zero, not {self.weight}.")
        if self.mu is not None and self.mu <= 0:
            raise InvalidPlan(f"Beam '{self.name}': monitor units must be above zero, not {self.mu}.")
        if self.energy_mev <= 0:
            raise InvalidPlan(f"Beam '{self.name}': the energy must be above zero.")

    def frame(self, *, patient_position: str, sad_cm: float) -> BeamFrame:
        """The beam's eye view frame for a patient lying so on a machine of that SAD."""
        return BeamFrame(
            isocentre_cm=self.isocentre_cm,
            gantry_deg=self.gantry_deg,
            collimator_deg=self.collimator_deg,
            couch_deg=self.couch_deg,
            patient_position=patient_position,
            sad_cm=sad_cm,
        )
