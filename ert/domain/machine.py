"""Treatment machines: geometry, applicators, limits."""

from __future__ import annotations

import attrs

from ert.domain.identity import digest_of
from ert.errors import InvalidPlan, Refused


@attrs.frozen(kw_only=True)
class Applicator:
    """An electron applicator (cone); opening at the isocentre plane.

    Attributes
    ----------
    id : as the record-and-verify system knows it.
    opening_x_cm, opening_y_cm : full widths at the isocentre plane along bev x and y.
    jaw_x_cm, jaw_y_cm : full jaw openings at the isocentre for RT Plan export.
    outer_margin_cm : how far the applicator's end frame reaches beyond its opening, for clearance drawings.
    """

    id: str
    opening_x_cm: float
    opening_y_cm: float
    jaw_x_cm: float = 0.0
    jaw_y_cm: float = 0.0
    outer_margin_cm: float = 3.0

    def __attrs_post_init__(self) -> None:
        if min(self.opening_x_cm, self.opening_y_cm) <= 0:
            raise Refused(f"Applicator '{self.id}' has no opening.")

    @property
    def area_cm2(self) -> float:
        """Opening area at the isocentre plane."""
        return self.opening_x_cm * self.opening_y_cm


@attrs.frozen(kw_only=True)
class Machine:
    """One linear accelerator's electron side.

    Attributes
    ----------
    name : treatment machine name, exactly as in the record-and-verify system.
    sad_cm : geometric source to isocentre, 100.
    insert_distance_cm : source to the downstream face of the insert (cutout).
    insert_thickness_cm, insert_material : of the insert.
    applicators : in order of size.
    energies_mev : nominal energies commissioned, rising.
    max_beam_angle_gantry_deg : gantry turns 0–360; kept for machines that cannot.
    """

    name: str
    sad_cm: float
    insert_distance_cm: float
    insert_thickness_cm: float
    insert_material: str
    applicators: tuple[Applicator, ...] = attrs.field(validator=attrs.validators.instance_of(tuple))
    energies_mev: tuple[float, ...] = attrs.field(validator=attrs.validators.instance_of(tuple))

    def __attrs_post_init__(self) -> None:
        ids = [a.id for a in self.applicators]
        if len(set(ids)) != len(ids) or not ids:
            raise Refused(f"Machine '{self.name}' needs applicators with different ids.")
        if not 0 < self.insert_distance_cm < self.sad_cm + 50:
            raise Refused(f"Machine '{self.name}': insert distance {self.insert_distance_cm} cm makes no sense.")

    def applicator(self, applicator_id: str) -> Applicator:
        """The applicator of that id; `InvalidPlan` if there is none."""
        for applicator in self.applicators:
            if applicator.id == applicator_id:
                return applicator
        known = ", ".join(a.id for a in self.applicators)
        raise InvalidPlan(f"Machine '{self.name}' has no applicator '{applicator_id}'.", hint=f"It has {known}.")

    @property
    def digest(self) -> str:
        """Digest of the whole machine."""
        return digest_of(self)
