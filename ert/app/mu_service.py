"""Monitor units by hand outside a site: of a typed field, or of the beams of a DICOM plan."""

from __future__ import annotations

import csv
import datetime as dt
import math
from importlib import metadata
from pathlib import Path

import attrs
import numpy as np

from ert.app.dicom_dose_beams import PlannedBeam, planned_beams
from ert.app.mu_check import check_field, make_worksheet
from ert.commissioning.package import read_package
from ert.dicom.plan import read_rt_plan
from ert.domain.beam_model import BeamModel, MachinePackage
from ert.domain.device import Aperture, Outline, to_outline
from ert.domain.monitor_units import BeamMuCheck, Verdict
from ert.dose.geometry import BeamGeometry
from ert.dose.monitor import round_mu
from ert.dose.output import rectangle_cm
from ert.dose.tg71_worksheet import FieldToCheck
from ert.dose.validity import check_beam, check_ssd
from ert.dose.water import axis_depth_dose_gy_per_mu
from ert.errors import ImportRejected, InvalidPlan, StorageFailed
from ert.geometry.frames import BeamFrame

_CGY = 100.0


@attrs.frozen(kw_only=True)
class TypedField:
    """A field as typed: opening at the isocentre plane, dose of one fraction to the point at a depth.

    `depth_cm` None is the depth of the field's own maximum; `outline_cm` None the open applicator.
    """

    energy_mev: float
    applicator_id: str
    outline_cm: Outline | None
    ssd_cm: float
    depth_cm: float | None
    dose_cgy: float


@attrs.frozen(kw_only=True)
class MuChecks:
    """Checks of one package with what they are about."""

    package: MachinePackage
    subject: str
    checks: tuple[BeamMuCheck, ...]
    notes: tuple[str, ...] = ()


def check_typed(machine: Path, field: TypedField) -> MuChecks:
    """Monitor units of a typed field in flat water, by engine and by hand.

    Raises
    ------
    Refused
        The package cannot be read, or the engine's model does not cover the field.
    """
    package = read_package(machine)
    model = package.model(field.energy_mev)
    if not (math.isfinite(field.dose_cgy) and field.dose_cgy > 0):
        raise InvalidPlan(f"The dose must be above 0 cGy, not {field.dose_cgy:g}.")
    if field.depth_cm is not None and not 0 <= field.depth_cm < model.practical_range_cm:
        raise InvalidPlan(
            f"The depth must lie between the surface and the practical range, {model.practical_range_cm:.1f} cm, not "
            f"{field.depth_cm:g} cm."
        )
    geometry = _geometry(package, field.applicator_id, field.outline_cm)
    check = _checked(
        package, model, geometry, ssd_cm=field.ssd_cm, dose_cgy=field.dose_cgy, depth_cm=field.depth_cm,
        engine_mu=None, number=1, name="typed",
    )  # fmt: skip
    subject = f"{field.energy_mev:g} MeV, {field.applicator_id}, SSD {field.ssd_cm:g} cm"
    return MuChecks(package=package, subject=subject, checks=(check,))


def check_dicom_plan(machine: Path, plan_file: Path, *, ssd_cm: float | None = None) -> MuChecks:
    """Monitor units of every electron beam of an RT Plan: its MU against those by hand for the engine's given dose.

    Parameters
    ----------
    ssd_cm : for beams whose plan states none.

    Raises
    ------
    Refused
        Plan or package cannot be used, a beam lies outside the model, or its SSD is not known.
    """
    package = read_package(machine)
    if not plan_file.is_file():
        raise ImportRejected(f"Plan file '{plan_file}' does not exist.")
    plan = read_rt_plan(plan_file)
    planned = planned_beams(plan, package)
    checks = tuple(_planned_check(package, item, ssd_cm) for item in planned.beams)
    notes = (*planned.notes, *(f"beam {p.beam.number}: {n}" for p in planned.beams for n in p.notes))
    return MuChecks(package=package, subject=f"RT Plan {plan.label}", checks=checks, notes=notes)


def _planned_check(package: MachinePackage, item: PlannedBeam, ssd_cm: float | None) -> BeamMuCheck:
    beam = item.beam
    distance_cm = item.stated_ssd_cm if item.stated_ssd_cm is not None else ssd_cm
    if distance_cm is None:
        raise InvalidPlan(f"The plan states no SSD of beam {beam.number} '{beam.name}'.", hint="Give it with --ssd.")
    return _checked(
        package, package.model(beam.energy_mev), _geometry(package, beam.applicator_id, beam.aperture.outline_cm),
        ssd_cm=distance_cm, dose_cgy=None, depth_cm=None, engine_mu=item.mu, number=beam.number, name=beam.name,
    )  # fmt: skip


def _geometry(package: MachinePackage, applicator_id: str, outline_cm: Outline | None) -> BeamGeometry:
    applicator = package.machine.applicator(applicator_id)
    frame = BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0),
        gantry_deg=0.0,
        collimator_deg=0.0,
        couch_deg=0.0,
        patient_position="HFS",
        sad_cm=package.machine.sad_cm,
    )
    whole = rectangle_cm(applicator.opening_x_cm, applicator.opening_y_cm)
    return BeamGeometry(
        frame=frame,
        outline_cm=outline_cm or whole,
        applicator=applicator,
        insert_distance_cm=package.machine.insert_distance_cm,
    )


def _checked(
    package: MachinePackage,
    model: BeamModel,
    geometry: BeamGeometry,
    *,
    ssd_cm: float,
    dose_cgy: float | None,
    depth_cm: float | None,
    engine_mu: float | None,
    number: int,
    name: str,
) -> BeamMuCheck:
    """One field: either the dose or the engine's monitor units are given, the other follows from the engine."""
    check_beam(model, geometry)
    check_ssd(model, ssd_cm)
    tables = package.tables(model.energy_mev)
    found = check_field(tables, model, package.machine, geometry, ssd_cm=ssd_cm)
    per_mu = found.engine_given_cgy_per_mu
    if depth_cm is not None:
        depths = np.array([depth_cm])
        per_mu = _CGY * float(axis_depth_dose_gy_per_mu(model, geometry, ssd_cm=ssd_cm, depths_cm=depths)[0])
    if dose_cgy is None:
        mu = 0.0 if engine_mu is None else engine_mu
        dose, basis = mu * per_mu, f"{mu:g} MU × {per_mu:.4f} cGy/MU, the engine's given dose in water"
    else:
        where = "the depth of maximum" if depth_cm is None else f"{depth_cm:g} cm"
        mu, dose, basis = float(round_mu(dose_cgy / per_mu)), dose_cgy, f"{dose_cgy:g} cGy to {where}, as typed"
    sheet, refusal = make_worksheet(
        tables,
        FieldToCheck(
            applicator_id=geometry.applicator.id, outline_cm=geometry.outline_cm, ssd_cm=ssd_cm, dose_cgy=dose,
            depth_cm=depth_cm, at_cm=found.at_cm,
        ),
    )  # fmt: skip
    levels = package.machine.configuration.mu_levels
    verdict = Verdict.NOT_CHECKED if sheet is None else levels.verdict(engine_mu=mu, tg71_mu=sheet.tg71_mu)
    return BeamMuCheck(
        beam_number=number, beam_name=name, machine_name=package.machine.name, energy_mev=model.energy_mev,
        applicator_id=geometry.applicator.id, ssd_cm=ssd_cm, width_cm=found.shape.width_cm,
        length_cm=found.shape.length_cm, dose_basis=basis, engine_mu=mu, engine_factors=found.engine, worksheet=sheet,
        refusal=refusal, ways=found.ways, verdict=verdict, levels=levels,
    )  # fmt: skip


def read_outline(path: Path) -> Outline:
    """An outline from a CSV file with the columns x_cm and y_cm, at the isocentre plane.

    Raises
    ------
    InvalidPlan
        Naming the line that cannot be used.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(c.strip() for c in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise InvalidPlan(f"The outline '{path}' cannot be read.", detail=repr(exc)) from exc
    if not rows or [c.strip() for c in rows[0]] != ["x_cm", "y_cm"]:
        raise InvalidPlan(f"The outline '{path}' does not begin with a line 'x_cm,y_cm'.", hint="Add it.")
    points = []
    for number, row in enumerate(rows[1:], start=2):
        try:
            x, y = (float(c) for c in row)
        except ValueError:
            raise InvalidPlan(f"{path.name}, line {number}: '{','.join(row)}' is no point.") from None
        points.append((x, y))
    return Aperture(outline_cm=to_outline(points)).outline_cm if points else _empty(path)


def _empty(path: Path) -> Outline:
    raise InvalidPlan(f"The outline '{path}' has no points.")


def write_sheets(made: MuChecks, path: Path, *, now: dt.datetime | None = None) -> Path:
    """Write the hand-check sheets as PDF; returns the path; `StorageFailed` where that cannot be."""
    from ert.reports.mu_sheet import mu_sheet_pdf  # noqa: PLC0415 - fonts only where wanted

    content = mu_sheet_pdf(
        made.checks,
        identity=f"Machine {made.package.machine.name}",
        subject=made.subject,
        software=f"ERT {metadata.version('ert')}",
        printed_at=now or dt.datetime.now(tz=dt.UTC).astimezone(),
        is_demo=made.package.is_demo,
    )
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StorageFailed(f"'{path}' cannot be written: {error.strerror}.", detail=repr(error)) from error
    return path
