"""Two versions of a machine package compared: parameters, computed doses of open fields, ranges of validity."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ert.analysis.depth import depth_quantities
from ert.domain.beam_model import BeamModel, MachinePackage, Validity, measured_text
from ert.domain.machine import Applicator, Machine
from ert.domain.model_difference import FieldChange, ModelDifference, PackageDifference, ParameterChange
from ert.dose.geometry import BeamGeometry
from ert.dose.output import rectangle_cm
from ert.dose.water import axis_depth_dose_gy_per_mu
from ert.geometry.frames import BeamFrame

Float = NDArray[np.float64]
_STEP_CM = 0.05


def compare_packages(old: MachinePackage, new: MachinePackage) -> PackageDifference:
    """What a physicist wants to know before the new package replaces the old one.

    Energies and applicators that only one of the two has are named in the remarks.
    """
    before, after = {m.energy_mev: m for m in old.models}, {m.energy_mev: m for m in new.models}
    remarks = [f"{e:g} MeV is no longer there." for e in sorted(set(before) - set(after))]
    remarks += [f"{e:g} MeV is new." for e in sorted(set(after) - set(before))]
    both = sorted(set(before) & set(after))
    return PackageDifference(
        old_digest=old.digest,
        new_digest=new.digest,
        models=tuple(_compare_models(before[e], after[e], old.machine, new.machine) for e in both),
        remarks=tuple(remarks),
    )


def _compare_models(old: BeamModel, new: BeamModel, old_machine: Machine, new_machine: Machine) -> ModelDifference:
    shared = [i for i in new.validity.applicator_ids if i in old.validity.applicator_ids]
    fields = [
        _compare_field(old, new, old_machine.applicator(i), new_machine.applicator(i), (old_machine, new_machine))
        for i in shared
    ]
    return ModelDifference(
        energy_mev=new.energy_mev,
        old_digest=old.digest,
        new_digest=new.digest,
        parameters=_compare_parameters(old, new),
        fields=tuple(fields),
        remarks=tuple(_compare_validity(old.validity, new.validity)),
    )


def _compare_parameters(old: BeamModel, new: BeamModel) -> tuple[ParameterChange, ...]:
    before = {p.name: p for p in old.parameters}
    changes = []
    for parameter in new.parameters:
        earlier = before.get(parameter.name)
        if earlier is None or earlier.value == parameter.value:
            continue
        spread = math.hypot(earlier.uncertainty, parameter.uncertainty)
        changes.append(
            ParameterChange(
                name=parameter.name,
                old_value=earlier.value,
                new_value=parameter.value,
                in_uncertainties=(parameter.value - earlier.value) / spread if spread > 0 else None,
            )
        )
    return tuple(changes)


def _compare_field(
    old: BeamModel, new: BeamModel, before: Applicator, after: Applicator, machines: tuple[Machine, Machine]
) -> FieldChange:
    """Open field of an applicator in water at the new model's reference distance."""
    depths = np.arange(0.05, 1.3 * max(old.practical_range_cm, new.practical_range_cm), _STEP_CM)
    ssd_cm = new.reference_ssd_cm
    doses = [
        axis_depth_dose_gy_per_mu(model, _open_field(applicator, machine), ssd_cm=ssd_cm, depths_cm=depths)
        for model, applicator, machine in zip((old, new), (before, after), machines, strict=True)
    ]
    top = float(doses[0].max())
    change = 100.0 * (doses[1] - doses[0]) / top
    at = int(np.argmax(np.abs(change)))
    r50 = [depth_quantities(depths, dose).r50_cm for dose in doses]
    return FieldChange(
        name=f"{after.id} open, SSD {ssd_cm:g} cm",
        output_pct=100.0 * (float(doses[1].max()) / top - 1.0),
        r50_mm=10.0 * (r50[1] - r50[0]),
        largest_pct=float(change[at]),
        largest_at_cm=float(depths[at]),
    )


def _open_field(applicator: Applicator, machine: Machine) -> BeamGeometry:
    frame = BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0),
        gantry_deg=0.0,
        collimator_deg=0.0,
        couch_deg=0.0,
        patient_position="HFS",
        sad_cm=machine.sad_cm,
    )
    return BeamGeometry(
        frame=frame,
        outline_cm=rectangle_cm(applicator.opening_x_cm, applicator.opening_y_cm),
        applicator=applicator,
        insert_distance_cm=machine.insert_distance_cm,
    )


def _compare_validity(old: Validity, new: Validity) -> list[str]:
    remarks = []
    if (old.ssd_min_cm, old.ssd_max_cm) != (new.ssd_min_cm, new.ssd_max_cm):
        remarks.append(
            f"SSD {old.ssd_min_cm:g} to {old.ssd_max_cm:g} cm became {new.ssd_min_cm:g} to {new.ssd_max_cm:g} cm."
        )
    if old.min_side_cm != new.min_side_cm:
        remarks.append(f"The smallest measured opening was {old.min_side_cm:.2f} cm, is {new.min_side_cm:.2f} cm.")
    if old.measured != new.measured:
        remarks.append(f"Before: {measured_text(old.measured)}; now: {measured_text(new.measured)}.")
    gone = [i for i in old.applicator_ids if i not in new.applicator_ids]
    added = [i for i in new.applicator_ids if i not in old.applicator_ids]
    remarks += [f"Applicator {i} is no longer commissioned." for i in gone]
    remarks += [f"Applicator {i} is newly commissioned." for i in added]
    return remarks
