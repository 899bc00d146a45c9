"""From scans and a machine file to curves in cGy/MU: which scan is which field, what is done to it, what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ert.analysis.curve import last_crossing_cm
from ert.commissioning.curve_files import refuse
from ert.commissioning.measured import Field
from ert.commissioning.plausible import energy_doubt
from ert.commissioning.scans.identify import Identified, identify
from ert.commissioning.scans.ionisation import ionisation_to_dose, shift_effective_point
from ert.commissioning.scans.machine_file import MachineFile, MeasuredOutput, Processing
from ert.commissioning.scans.process import (
    average_repeats,
    centre,
    keep_usable,
    normalise_to_depth_dose,
    normalise_to_output,
    peak,
    resample,
    smooth,
    subtract_background,
    symmetrise,
)
from ert.commissioning.scans.scan import (
    CHAMBER,
    CHAMBERS,
    CROSSLINE,
    CYLINDRICAL,
    DEPTH_DOSE,
    RefusedScan,
    Scan,
    ScanFile,
)
from ert.commissioning.scans.working import WorkingCurve, begin
from ert.errors import InvalidBeamData

_LEAST_POINTS = 10


@attrs.frozen(kw_only=True)
class FieldCurve:
    """A finished curve of a field."""

    energy_mev: float
    field: Field
    curve: WorkingCurve

    @property
    def key(self) -> tuple[object, ...]:
        """What only one curve may be: energy, field, kind, medium, depth."""
        c = self.curve
        return (self.energy_mev, self.field, c.curve, c.is_in_air, c.depth_cm)


@attrs.frozen(kw_only=True)
class Assembly:
    """All usable curves, all refusals, and remarks worth reading before commissioning."""

    curves: tuple[FieldCurve, ...]
    refused: tuple[RefusedScan, ...]
    warnings: tuple[str, ...]

    def of(self, energy_mev: float) -> list[FieldCurve]:
        """Curves of one energy."""
        return [c for c in self.curves if c.energy_mev == energy_mev]


def depth_of_maximum_cm(output: MeasuredOutput, curves: Sequence[FieldCurve]) -> float | None:
    """Where an output was measured: as the physicist says, else from the field's depth dose, else None."""
    if output.depth_of_maximum_cm is not None:
        return output.depth_of_maximum_cm
    for item in curves:
        if item.curve.is_depth_dose and (item.energy_mev, item.field) == (output.energy_mev, output.field):
            return peak(item.curve.position_cm, item.curve.value)[0]
    return None


def assemble(files: Sequence[ScanFile], machine_file: MachineFile, processing: Processing) -> Assembly:
    """Identify, process and normalise every scan; what fails is refused with its reason, the rest goes on.

    Depth doses come first, because profiles are normalised to the depth dose of their field.
    """
    refused = [r for f in files for r in f.refused]
    warnings: list[str] = []
    known: list[Identified] = []
    for scan in (s for f in files for s in f.scans):
        try:
            known.append(identify(scan, machine_file))
        except InvalidBeamData as error:
            refused.append(_refusal(scan, error))
    finished: list[FieldCurve] = []
    for item in sorted(known, key=lambda i: i.scan.curve != DEPTH_DOSE):
        try:
            curve, told = _processed(item.scan, processing)
            curve = _normalised(curve, item, machine_file, finished)
            done = FieldCurve(energy_mev=item.energy_mev, field=item.field, curve=curve)
            _require_new(done, finished)
        except InvalidBeamData as error:
            refused.append(_refusal(item.scan, error))
            continue
        finished.append(done)
        warnings.extend(told)
    warnings.extend(_doubts(files, machine_file, finished))
    return Assembly(curves=tuple(finished), refused=tuple(refused), warnings=tuple(dict.fromkeys(warnings)))


def _doubts(files: Sequence[ScanFile], machine_file: MachineFile, finished: Sequence[FieldCurve]) -> list[str]:
    """Hints that speak of no scan, and ranges that do not fit the energy they are said to have."""
    scans = [s for f in files for s in f.scans]
    told = [
        f"{hint.where}: no curve fits file = {hint.pattern!r}."
        for hint in machine_file.hints
        if not any(hint.fits(scan) for scan in scans)
    ]
    for item in finished:
        x, y = item.curve.position_cm, item.curve.value
        r50_cm = last_crossing_cm(x, y, 0.5 * float(y.max())) if item.curve.is_depth_dose else None
        if item.field != machine_file.reference or r50_cm is None:
            continue
        doubt = energy_doubt(item.energy_mev, r50_cm)
        if doubt is not None:
            told.append(f"{item.curve.scan.name}: {doubt}. Check the energy, and the units.")
    return told


def _refusal(scan: Scan, error: InvalidBeamData) -> RefusedScan:
    return RefusedScan(file=scan.file, index=scan.index, line=scan.line, reason=error.sentence, todo=error.hint)


def _processed(scan: Scan, processing: Processing) -> tuple[WorkingCurve, list[str]]:
    """The steps asked for, in the order they are written here, and what the physicist should know."""
    curve = average_repeats(begin(scan))
    warnings: list[str] = []
    if not curve.is_in_air:
        if processing.background is not None:
            curve = subtract_background(curve, processing.background)
        curve, warnings = _as_dose(curve, processing)
    if processing.is_smoothed:
        curve = smooth(curve)
    if processing.is_centred:
        curve = centre(curve)
    if processing.is_symmetrised:
        curve = symmetrise(curve)
    if processing.resample_cm is not None:
        curve = resample(curve, processing.resample_cm)
    curve = keep_usable(curve)
    if len(curve.value) < _LEAST_POINTS:
        raise refuse(scan.name, f"{len(curve.value)} usable points are too few.", "Scan finer or further.")
    return curve, warnings


def _as_dose(curve: WorkingCurve, processing: Processing) -> tuple[WorkingCurve, list[str]]:
    """Effective point and stopping-power ratio where asked for; notes where a chamber's curve is left as it is."""
    scan = curve.scan
    warnings: list[str] = []
    if scan.detector_kind in (CHAMBER, None) and processing.is_effective_point:
        raise refuse(
            scan.name,
            "whether it was scanned with a cylindrical chamber is not stated, but its effective point is asked for.",
            f'Add a [[scan]] table with file = "{scan.file}" and detector.',
        )
    if scan.detector_kind == CYLINDRICAL and processing.is_effective_point:
        radius = scan.detector_radius_cm or processing.chamber_radius_cm
        if radius is None:
            raise refuse(scan.name, "the chamber's radius is not stated.", "Give chamber_radius_cm in [processing].")
        curve = shift_effective_point(curve, radius)
    elif scan.detector_kind == CYLINDRICAL:
        warnings.append(
            f"{scan.file}: a cylindrical chamber; its depths are taken as those of the effective point. "
            "If the scanner did not correct them, set effective_point = true."
        )
    if processing.is_ionisation:
        if scan.detector_kind is None and curve.is_depth_dose:
            warnings.append(f"{scan.file}: the detector is not stated; converted from ionisation as asked for.")
        curve = ionisation_to_dose(curve)
    elif scan.detector_kind in CHAMBERS and curve.is_depth_dose:
        warnings.append(
            f"{scan.file}: scanned with an ionisation chamber; its values are taken as dose. "
            "If they are ionisation, use --ionisation."
        )
    return curve, warnings


def _normalised(
    curve: WorkingCurve, item: Identified, machine_file: MachineFile, finished: Sequence[FieldCurve]
) -> WorkingCurve:
    if curve.is_in_air:
        if curve.curve != CROSSLINE:
            raise refuse(item.scan.name, "profiles in air are used crossline only.", "Leave it out.")
        return curve
    if curve.is_depth_dose:
        output = machine_file.output_of(item.energy_mev, item.field)
        if output is None:
            raise refuse(
                item.scan.name,
                f"no output of {item.field.name} at {item.energy_mev:g} MeV is given.",
                f"Measure it and add an [[output]] to {machine_file.name}.",
            )
        return normalise_to_output(curve, output.cgy_per_mu)
    for other in finished:
        if other.curve.is_depth_dose and (other.energy_mev, other.field) == (item.energy_mev, item.field):
            return normalise_to_depth_dose(curve, other.curve)
    raise refuse(
        item.scan.name,
        f"there is no depth dose of {item.field.name} at {item.energy_mev:g} MeV to normalise the profile to.",
        "Scan the depth dose of this field too.",
    )


def _require_new(done: FieldCurve, finished: Sequence[FieldCurve]) -> None:
    for other in finished:
        if other.key == done.key:
            raise refuse(
                done.curve.scan.name,
                f"it is the same curve as {other.curve.scan.name}.",
                "Keep one: leave the other out with a [[scan]] table and leave_out = true.",
            )
