"""Monitor units of a plan's beams checked by hand: engine against AAPM TG-71, with every factor and its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from ert.app.dose_service import Models
from ert.app.dose_state import BeamDose, DoseState
from ert.domain.beam import Beam
from ert.domain.beam_model import BeamModel
from ert.domain.identity import digest_of
from ert.domain.machine import Machine
from ert.domain.monitor_units import (
    BeamMuCheck,
    CutoutWay,
    Factor,
    MuWorksheet,
    Verdict,
)
from ert.domain.output_tables import OutputTables
from ert.domain.plan import Normalisation, Plan
from ert.domain.record import Finding, Severity
from ert.dose.geometry import BeamGeometry, beam_geometry
from ert.dose.monitor import monitor_factors
from ert.dose.tg71_worksheet import FieldToCheck, cutout_ways, engine_factors, worksheet
from ert.dose.water import given_point_cm
from ert.errors import OutsideModel
from ert.geometry.opening import OpeningShape, opening_shape

NO_TABLES = "The machine package holds no measured output tables; commission it again to have monitor units checked."
_KEPT = 64


@attrs.frozen(kw_only=True)
class FieldCheck:
    """What is known of a field whatever dose it gives: engine's factors, cutout factor three ways, shape."""

    shape: OpeningShape
    at_cm: tuple[float, float]
    engine: tuple[Factor, ...]
    engine_given_cgy_per_mu: float
    ways: tuple[CutoutWay, ...]


def check_field(
    tables: OutputTables | None, model: BeamModel, machine: Machine, geometry: BeamGeometry, *, ssd_cm: float
) -> FieldCheck:
    """Factors of a field by engine and tables."""
    engine = monitor_factors(model, machine, geometry, ssd_cm=ssd_cm)
    return FieldCheck(
        shape=opening_shape(geometry.outline_cm),
        at_cm=given_point_cm(geometry.outline_cm),
        engine=engine_factors(engine, model),
        engine_given_cgy_per_mu=engine.given_cgy_per_mu,
        ways=cutout_ways(tables, geometry, engine, model),
    )


def make_worksheet(tables: OutputTables | None, field: FieldToCheck) -> tuple[MuWorksheet | None, str]:
    """The worksheet, or why there is none."""
    if tables is None:
        return None, NO_TABLES
    try:
        return worksheet(tables, field), ""
    except OutsideModel as error:
        return None, str(error)


class MuChecker:
    """Checks the beams of a plan; what does not depend on dose is kept for fields seen before.

    Parameters
    ----------
    models : machines of the site.
    patient_position : of the image the plan is made on.
    """

    def __init__(self, models: Models, *, patient_position: str) -> None:
        self._models, self._position = models, patient_position
        self._known: dict[str, FieldCheck] = {}
        self._last: tuple[Plan, DoseState, tuple[BeamMuCheck, ...]] | None = None

    def checks(self, plan: Plan, dose: DoseState) -> tuple[BeamMuCheck, ...]:
        """One check a beam; none unless the dose is the plan's."""
        if not dose.is_current:
            return ()
        if self._last is None or self._last[0] is not plan or self._last[1] is not dose:
            found = tuple(self._check(plan, plan.beam(d.beam_number), d) for d in dose.beams)
            self._last = (plan, dose, found)
        return self._last[2]

    def _check(self, plan: Plan, beam: Beam, dose: BeamDose) -> BeamMuCheck:
        machine, model = self._models.of_beam(beam)
        tables = self._models.output_tables(beam)
        found = self._field(beam, machine, model, tables, dose.ssd_cm)
        dose_cgy, basis = given_dose(plan, beam, dose, engine_cgy_per_mu=found.engine_given_cgy_per_mu)
        field = FieldToCheck(
            applicator_id=beam.applicator_id,
            outline_cm=beam.aperture.outline_cm,
            ssd_cm=dose.ssd_cm,
            dose_cgy=dose_cgy,
            at_cm=found.at_cm,
        )
        sheet, refusal = make_worksheet(tables, field)
        levels, verdict = machine.configuration.mu_levels, Verdict.NOT_CHECKED
        if sheet is not None:
            verdict = levels.verdict(engine_mu=dose.mu, tg71_mu=sheet.tg71_mu)
        return BeamMuCheck(
            beam_number=beam.number,
            beam_name=beam.name,
            machine_name=machine.name,
            energy_mev=beam.energy_mev,
            applicator_id=beam.applicator_id,
            ssd_cm=dose.ssd_cm,
            width_cm=found.shape.width_cm,
            length_cm=found.shape.length_cm,
            dose_basis=basis,
            engine_mu=dose.mu,
            engine_factors=found.engine,
            worksheet=sheet,
            refusal=refusal,
            ways=found.ways,
            verdict=verdict,
            levels=levels,
        )

    def _field(
        self, beam: Beam, machine: Machine, model: BeamModel, tables: OutputTables | None, ssd_cm: float
    ) -> FieldCheck:
        key = digest_of((beam.model_digest, beam.applicator_id, beam.aperture.outline_cm, ssd_cm, tables))
        if key not in self._known:
            geometry = beam_geometry(beam, machine, patient_position=self._position)
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = check_field(tables, model, machine, geometry, ssd_cm=ssd_cm)
        return self._known[key]


def given_dose(plan: Plan, beam: Beam, dose: BeamDose, *, engine_cgy_per_mu: float) -> tuple[float, str]:
    """Dose of one fraction at the field's maximum in water, cGy, that a beam is to give, and what it follows from.

    To an isodose of the given dose it follows from the prescription alone. Otherwise from the plan's monitor units and
    the engine's given dose (the pencil beam's where the plan's engine states none): the check then is of the output,
    not of what the patient's tissue does.
    """
    prescription = plan.prescription
    fraction_cgy = 100.0 * prescription.dose_gy / prescription.fractions
    if prescription.normalisation is Normalisation.ISODOSE:
        share = beam.weight / sum(b.weight for b in plan.beams)
        value = fraction_cgy / (prescription.percent / 100.0) * share
        shared = f" × share {share:.3f}" if len(plan.beams) > 1 else ""
        return value, f"{fraction_cgy:.2f} cGy / {prescription.percent:g} %{shared}, from the prescription"
    if dose.given_dose_gy is None:
        value, whose = dose.mu * engine_cgy_per_mu, "the pencil beam's"
    else:
        value, whose = 100.0 * dose.given_dose_gy / prescription.fractions, "the engine's"
    return value, f"{dose.mu:g} MU × {value / dose.mu:.4f} cGy/MU, {whose} given dose in water"


def mu_findings(checks: Sequence[BeamMuCheck]) -> Iterator[Finding]:
    """What the checks have to say: disagreement, absence of a check, too few or broken monitor units."""
    for check in checks:
        yield from _verdict_findings(check)
        yield from _ways_findings(check)
        if check.engine_mu < check.levels.minimum_mu:
            yield _finding(
                check,
                Severity.WARNING,
                "mu-few",
                f"Beam '{check.beam_name}' has {check.engine_mu:g} MU; below {check.levels.minimum_mu:g} MU monitors "
                "are least linear. Use fewer fractions or beams, or verify linearity.",
            )
        if check.engine_mu != round(check.engine_mu):
            yield _finding(
                check,
                Severity.NOTE,
                "mu-broken",
                f"Beam '{check.beam_name}' has {check.engine_mu:g} MU, entered by hand: no whole number.",
            )


def _verdict_findings(check: BeamMuCheck) -> Iterator[Finding]:
    if check.worksheet is None or check.difference_pct is None or check.difference_mu is None:
        yield _finding(
            check,
            Severity.WARNING,
            "mu-unchecked",
            f"Monitor units of beam '{check.beam_name}' are not checked by hand: {check.refusal}",
        )
        return
    compared = (
        f"Beam '{check.beam_name}': {check.engine_mu:g} MU, by hand (TG-71) {check.worksheet.tg71_mu:.1f} MU, "
        f"difference {check.difference_pct:+.1f} % ({check.difference_mu:+.1f} MU)"
    )
    if check.verdict is Verdict.ACTION:
        yield _finding(
            check,
            Severity.WARNING,
            "mu-action",
            f"{compared}: above the action level. Do not treat before physics has found the reason.",
        )
    elif check.verdict is Verdict.INVESTIGATE:
        yield _finding(check, Severity.WARNING, "mu-investigate", f"{compared}: to be investigated by physics.")
    for note in check.worksheet.notes:
        yield _finding(check, Severity.WARNING, "mu-shape", f"Beam '{check.beam_name}': {note}")
    for note in check.worksheet.assumptions:
        yield _finding(check, Severity.NOTE, "mu-assumed", f"Beam '{check.beam_name}': {note}")


def _ways_findings(check: BeamMuCheck) -> Iterator[Finding]:
    """Three ways to the cutout factor that do not agree: one of them, or a measurement, is wrong here."""
    difference_pct = check.ways_difference_pct
    if difference_pct is None:
        return
    verdict = check.levels.verdict_on_factor(difference_pct)
    if verdict is Verdict.AGREES:
        return
    above = "action level" if verdict is Verdict.ACTION else "level for investigating"
    yield _finding(
        check,
        Severity.WARNING,
        "mu-ways",
        f"Beam '{check.beam_name}': the ways to the cutout factor differ by {difference_pct:+.1f} %, above the "
        f"{above}. Measure this cutout.",
    )


def _finding(check: BeamMuCheck, severity: Severity, code: str, sentence: str) -> Finding:
    return Finding(severity=severity, code=code, sentence=sentence, subject=check.beam_name)
