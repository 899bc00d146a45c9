"""Treatment machines: geometry, applicators, limits."""

from __future__ import annotations

import attrs

from ert.domain.angle_scale import Jaws
from ert.domain.identity import ADDED_LATER, digest_of
from ert.domain.machine_configuration import MachineConfiguration
from ert.errors import InvalidPlan, Refused


@attrs.frozen(kw_only=True)
class Applicator:
    """An electron applicator (cone); opening at the isocentre plane.

    Attributes
    ----------
    id : as the record-and-verify system knows it.
    opening_x_cm, opening_y_cm : full widths at the isocentre plane along bev x and y.
    jaw_x_cm, jaw_y_cm : full symmetric jaw openings at the isocentre, where the configuration has no jaw setting; 0 if
        not known.
    outer_margin_cm : how far the end frame reaches beyond the opening, where the configuration has no outer box.
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
    configuration : what can be changed without commissioning; the rest is fixed with the beam models.
    """

    name: str
    sad_cm: float
    insert_distance_cm: float
    insert_thickness_cm: float
    insert_material: str
    applicators: tuple[Applicator, ...] = attrs.field(validator=attrs.validators.instance_of(tuple))
    energies_mev: tuple[float, ...] = attrs.field(validator=attrs.validators.instance_of(tuple))
    configuration: MachineConfiguration = attrs.field(factory=MachineConfiguration, metadata=ADDED_LATER)

    def __attrs_post_init__(self) -> None:
        ids = [a.id for a in self.applicators]
        if len(set(ids)) != len(ids) or not ids:
            raise Refused(f"Machine '{self.name}' needs applicators with different ids.")
        if not 0 < self.insert_distance_cm < self.sad_cm + 50:
            raise Refused(f"Machine '{self.name}': insert distance {self.insert_distance_cm} cm makes no sense.")
        self._check_configuration(ids)

    def _check_configuration(self, ids: list[str]) -> None:
        """Refuse a configuration that speaks of applicators or energies the machine does not have."""
        settings, jaws = self.configuration.applicators, self.configuration.jaws
        named = [*(s.applicator_id for s in settings), *(j.applicator_id for j in jaws)]
        energies = [*(e for s in settings for e in s.energies_mev), *(j.energy_mev for j in jaws)]
        for applicator_id in named:
            if applicator_id not in ids:
                raise Refused(
                    f"The configuration of machine '{self.name}' names applicator '{applicator_id}', which it has not.",
                    hint=f"It has {', '.join(ids)}.",
                )
        for energy_mev in energies:
            if energy_mev is not None and energy_mev not in self.energies_mev:
                known = ", ".join(f"{e:g}" for e in self.energies_mev)
                raise Refused(
                    f"The configuration of machine '{self.name}' names {energy_mev:g} MeV, which it has not.",
                    hint=f"It has {known} MeV.",
                )

    def applicator(self, applicator_id: str) -> Applicator:
        """The applicator of that id; `InvalidPlan` if there is none."""
        for applicator in self.applicators:
            if applicator.id == applicator_id:
                return applicator
        known = ", ".join(a.id for a in self.applicators)
        raise InvalidPlan(f"Machine '{self.name}' has no applicator '{applicator_id}'.", hint=f"It has {known}.")

    def offers(self, applicator_id: str, energy_mev: float) -> bool:
        """Whether an applicator is in use, and with that energy."""
        setting = self.configuration.applicator(applicator_id)
        return setting.is_available and (not setting.energies_mev or energy_mev in setting.energies_mev)

    def jaws_cm(self, applicator_id: str, energy_mev: float) -> Jaws | None:
        """X1, X2, Y1, Y2 behind an applicator at an energy, IEC 61217; None where the package does not state them."""
        setting = self.configuration.jaws_for(applicator_id, energy_mev)
        if setting is not None:
            return setting.positions_cm
        applicator = self.applicator(applicator_id)
        x_cm, y_cm = applicator.jaw_x_cm, applicator.jaw_y_cm
        return (-x_cm / 2, x_cm / 2, -y_cm / 2, y_cm / 2) if x_cm and y_cm else None

    def outer_box_cm(self, applicator_id: str) -> tuple[float, float, float]:
        """Width, height and face distance of an applicator's outer box.

        Where none is configured: the opening at the insert plane and `outer_margin_cm` around it, ending there.
        """
        box = self.configuration.applicator(applicator_id).box_cm
        if box is not None:
            return box
        applicator, scale = self.applicator(applicator_id), self.insert_distance_cm / self.sad_cm
        margin_cm = 2 * applicator.outer_margin_cm
        return (
            applicator.opening_x_cm * scale + margin_cm,
            applicator.opening_y_cm * scale + margin_cm,
            self.insert_distance_cm,
        )

    @property
    def treatment_name(self) -> str:
        """Name in the record-and-verify system."""
        return self.configuration.treatment_machine_name or self.name

    @property
    def digest(self) -> str:
        """Digest of the whole machine."""
        return digest_of(self)

    @property
    def dosimetric_digest(self) -> str:
        """Digest of what a dose with one of its beam models may depend on: all but configuration and energies."""
        return digest_of(attrs.evolve(self, configuration=MachineConfiguration(), energies_mev=()))
