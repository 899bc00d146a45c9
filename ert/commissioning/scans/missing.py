"""What commissioning still lacks: some curves an energy cannot do without, others widen what the model is used for."""

from __future__ import annotations

from ert.analysis.depth import depth_quantities
from ert.commissioning.scans.assemble import Assembly, FieldCurve, depth_of_maximum_cm
from ert.commissioning.scans.machine_file import MachineFile
from ert.errors import InvalidBeamData

_TAIL_CM = 2.0
_PENUMBRA_SSD_CM = 110.0


def required(assembly: Assembly, machine_file: MachineFile, energy_mev: float) -> list[str]:
    """Without these the energy cannot be commissioned: the open reference field's depth dose, profiles and output."""
    reference = machine_file.reference
    at_reference = [c for c in assembly.of(energy_mev) if c.field == reference and not c.curve.is_in_air]
    depth_doses = [c for c in at_reference if c.curve.is_depth_dose]
    lacking = []
    if machine_file.output_of(energy_mev, reference) is None:
        lacking.append(f"the output of {reference.name}")
    if not depth_doses:
        lacking.append(f"the depth dose of {reference.name}")
    elif not _reaches(depth_doses[0]):
        lacking.append(f"a depth dose of {reference.name} that reaches beyond the practical range")
    if not any(not c.curve.is_depth_dose for c in at_reference):
        lacking.append(f"profiles of {reference.name}")
    return lacking


def recommended(assembly: Assembly, machine_file: MachineFile, energy_mev: float) -> list[str]:
    """What widens or steadies the model: other applicators, cutouts, distances, profiles in air, the photon tail."""
    curves = assembly.of(energy_mev)
    reference = machine_file.reference
    lacking = []
    for applicator in machine_file.machine.applicators:
        own = [c for c in curves if c.field.applicator_id == applicator.id and c.field.cutout == "open"]
        water = [c for c in own if not c.curve.is_in_air]
        if not any(c.curve.is_depth_dose for c in water):
            lacking.append(f"depth dose and output of {applicator.id} open")
        elif not any(not c.curve.is_depth_dose for c in water):
            lacking.append(f"profiles of {applicator.id} open")
    if not any(c.curve.is_in_air for c in curves):
        lacking.append("profiles in air at three to five distances (for the virtual source)")
    if not any(c.field.ssd_cm > reference.ssd_cm and c.curve.is_depth_dose for c in curves):
        lacking.append(f"curves and output at an extended SSD, for instance {_PENUMBRA_SSD_CM:g} cm")
    if not any(c.field.cutout != "open" for c in curves):
        lacking.append("depth doses and outputs of cutouts (the smallest one measured limits the model)")
    lacking.extend(_tail(curves, machine_file))
    unused = [
        output.field.name
        for output in machine_file.outputs
        if output.energy_mev == energy_mev and depth_of_maximum_cm(output, curves) is None
    ]
    if unused:
        lacking.append(f"depth doses or depths of maximum for these outputs, unused so far: {', '.join(unused)}")
    return lacking


def _reaches(item: FieldCurve) -> bool:
    try:
        depth_quantities(item.curve.position_cm, item.curve.value)
    except InvalidBeamData:
        return False
    return True


def _tail(curves: list[FieldCurve], machine_file: MachineFile) -> list[str]:
    """The photon tail of the reference field: its depth dose and a profile 2 cm beyond the practical range."""
    own = [c.curve for c in curves if c.field == machine_file.reference and not c.curve.is_in_air]
    depth_dose = next((c for c in own if c.is_depth_dose), None)
    if depth_dose is None:
        return []
    try:
        deep_cm = depth_quantities(depth_dose.position_cm, depth_dose.value).rp_cm + _TAIL_CM
    except InvalidBeamData:
        return []
    lacking = []
    if depth_dose.position_cm[-1] < deep_cm:
        lacking.append(f"the reference depth dose to {deep_cm:.1f} cm, 2 cm beyond the practical range")
    if not any(c.depth_cm is not None and c.depth_cm > deep_cm - 1.0 for c in own):
        lacking.append(f"a profile of the reference field at {deep_cm:.1f} cm, in the photon tail")
    return lacking
