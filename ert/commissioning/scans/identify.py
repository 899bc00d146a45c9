"""Which field of the machine a scan was taken in: what the file states and what the physicist adds, never a guess."""

from __future__ import annotations

from typing import Any

import attrs

from ert.commissioning.curve_files import make_field, refuse
from ert.commissioning.measured import OPEN, Field
from ert.commissioning.scans.machine_file import MachineFile
from ert.commissioning.scans.scan import (
    AIR,
    CHAMBERS,
    DEPTH_DOSE,
    DIAGONAL,
    DIAMOND,
    DIODE,
    PROFILE,
    WATER,
    Scan,
)

_SAME_CM = 0.051
_KINDS = (*CHAMBERS, DIODE, DIAMOND)


@attrs.frozen(kw_only=True)
class Identified:
    """A scan with its energy and field; `scan` holds what the physicist added."""

    scan: Scan
    energy_mev: float
    field: Field


def identify(scan: Scan, machine_file: MachineFile) -> Identified:
    """The field of a scan.

    Raises
    ------
    InvalidBeamData
        Something needed is stated neither by the file nor by a [[scan]] table, the two contradict each other, or the
        scan is left out on request.
    """
    added = _hints(scan, machine_file)
    scan = _with_hints(scan, added)
    if scan.curve == DIAGONAL:
        raise refuse(scan.name, "it is a diagonal, which beam data do not hold.", "Use it for your own checks.")
    scan = _with_axis(scan, machine_file)
    energy = scan.energy_mev
    if energy is None or scan.ssd_cm is None:
        lacking = "energy" if energy is None else "SSD"
        key = "energy_mev" if energy is None else "ssd_cm"
        raise refuse(scan.name, f"its {lacking} is not stated.", _advice(scan, key))
    if energy not in machine_file.machine.energies_mev:
        raise refuse(scan.name, f"no output is given for {energy:g} MeV.", f"Add one to {machine_file.name}.")
    if scan.curve != DEPTH_DOSE and scan.depth_cm is None:
        raise refuse(scan.name, "the depth of the profile is not stated.", _advice(scan, "depth_cm"))
    applicator, cutout = added.get("applicator"), added.get("cutout", OPEN)
    if applicator is None:
        applicator = _open_applicator(scan, machine_file)
    field = make_field(applicator, cutout, scan.ssd_cm, machine_file.machine, scan.name)
    _require_size(scan, field, machine_file)
    if scan.medium == AIR and (field.cutout != OPEN or scan.curve == DEPTH_DOSE):
        raise refuse(scan.name, "it was taken in air but is no profile of an open applicator.", "Scan that in water.")
    return Identified(scan=scan, energy_mev=energy, field=field)


def _advice(scan: Scan, key: str) -> str:
    return f'Add a [[scan]] table with file = "{scan.file}" and {key} to the machine file.'


def _hints(scan: Scan, machine_file: MachineFile) -> dict[str, Any]:
    """Everything the [[scan]] tables say of a scan."""
    said: dict[str, Any] = {}
    for hint in machine_file.hints:
        if not hint.fits(scan):
            continue
        if hint.is_left_out:
            raise refuse(scan.name, "it is left out on request.", f"See {hint.where}.")
        for key, value in hint.values.items():
            if said.setdefault(key, value) != value:
                raise refuse(scan.name, f"two [[scan]] tables give different '{key}'.", f"Correct {hint.where}.")
    return said


def _with_hints(scan: Scan, added: dict[str, Any]) -> Scan:
    """The scan with what it does not state filled in; refused where the physicist contradicts the file."""
    changes: dict[str, Any] = {}
    remarks = list(scan.remarks)
    names = {"energy_mev": "energy_mev", "ssd_cm": "ssd_cm", "depth_cm": "depth_cm", "detector": "detector_kind",
             "medium": "medium"}  # fmt: skip
    for key, name in names.items():
        if key not in added:
            continue
        stated, value = getattr(scan, name), added[key]
        if key == "detector" and value not in _KINDS or key == "medium" and value not in (WATER, AIR):
            raise refuse(scan.name, f"'{value}' is no {key} ERT knows.", f"Use {', '.join(_KINDS)}, or water and air.")
        is_finer = key == "detector" and stated in CHAMBERS and value in CHAMBERS
        if stated is not None and not is_finer and not _agree(stated, value):
            raise refuse(
                scan.name,
                f"the file states {key} {stated}, the machine file {value}.",
                "Correct the file or the [[scan]] table of the machine file.",
            )
        if stated is None or is_finer:
            changes[name] = value
            remarks.append(f"The machine file gives {key} {value}.")
    return attrs.evolve(scan, remarks=tuple(remarks), **changes)


def _agree(stated: object, value: object) -> bool:
    if isinstance(stated, float) and isinstance(value, float):
        return abs(stated - value) < 1e-6
    return stated == value


def _with_axis(scan: Scan, machine_file: MachineFile) -> Scan:
    """A profile along a tank axis as crossline or inline, by the table [axes]."""
    if scan.curve != PROFILE:
        return scan
    found = machine_file.axes.get((scan.file_format, scan.tank_axis))
    if found is None:
        raise refuse(
            scan.name,
            f"the file does not state how the tank's axis '{scan.tank_axis}' lay at the machine.",
            "Say so in the table [axes] of the machine file; see docs/commissioning.md.",
        )
    curve, sign = found
    way = "along" if sign > 0 else "against"
    bev = "bev x" if curve == "crossline" else "bev y"
    return attrs.evolve(
        scan,
        curve=curve,
        positions_cm=scan.positions_cm if sign > 0 else -scan.positions_cm[::-1],
        values=scan.values if sign > 0 else scan.values[::-1],
        remarks=(*scan.remarks, f"By the machine file the tank's axis '{scan.tank_axis}' lies {way} {bev}: {curve}."),
    )


def _open_applicator(scan: Scan, machine_file: MachineFile) -> str:
    if not machine_file.is_size_of_open_applicator:
        raise refuse(scan.name, "the applicator is not stated.", _advice(scan, "applicator and cutout"))
    fitting = [
        a.id
        for a in machine_file.machine.applicators
        if scan.field_x_cm is not None
        and scan.field_y_cm is not None
        and abs(a.opening_x_cm - scan.field_x_cm) < _SAME_CM
        and abs(a.opening_y_cm - scan.field_y_cm) < _SAME_CM
    ]
    if len(fitting) != 1:
        size = f"{scan.field_x_cm:g} x {scan.field_y_cm:g} cm" if scan.field_x_cm and scan.field_y_cm else "not stated"
        raise refuse(scan.name, f"its field size ({size}) is no applicator's.", _advice(scan, "applicator and cutout"))
    return fitting[0]


def _require_size(scan: Scan, field: Field, machine_file: MachineFile) -> None:
    """Refuse a stated field size that is neither the cutout's nor the applicator's."""
    applicator = machine_file.machine.applicator(field.applicator_id)
    for stated, sizes in (
        (scan.field_x_cm, (field.width_cm, applicator.opening_x_cm)),
        (scan.field_y_cm, (field.height_cm, applicator.opening_y_cm)),
    ):
        if stated is not None and all(abs(stated - size) >= _SAME_CM for size in sizes):
            raise refuse(
                scan.name,
                f"the file states a field side of {stated:g} cm, which is not {field.applicator_id} {field.cutout}.",
                "Correct the one that is wrong.",
            )
