"""An open plan: the dose follows edits, never outlives them, and monitor units follow the dose."""

import time

import attrs
import numpy as np
import pytest

from ert.app.dose_state import DoseStatus
from ert.app.plan_output import plan_report, write_mu_sheets
from ert.domain.beam import Beam
from ert.domain.plan import Normalisation, with_beam, without_beam
from ert.errors import ExportRejected, InvalidPlan
from tests.integration.app.conftest import Owner


def add(workspace, owner: Owner, beam: Beam):
    workspace.apply("Add beam", lambda plan: with_beam(plan, beam))
    assert workspace.dose.status is DoseStatus.COMPUTING
    workspace.wait_for_dose(owner.pump)


def changed(beam, **fields):
    return lambda plan: with_beam(plan, attrs.evolve(beam, **fields))


def prescribed(**fields):
    return lambda plan: attrs.evolve(plan, prescription=attrs.evolve(plan.prescription, **fields))


def test_the_dose_appears_by_itself_and_reaches_the_prescription(workspace, owner, beam):
    add(workspace, owner, beam)
    mu = workspace.plan.beams[0].mu
    given_gy = workspace.dose.beams[0].given_dose_gy
    assert mu == round(mu)
    # 90 % of the given dose is the prescribed dose, but for the rounding to whole monitor units.
    assert 0.9 * given_gy == pytest.approx(50.0, rel=0.51 / mu)
    assert workspace.dose.plan_gy.max() == workspace.dose.max_gy
    owner.until(lambda: workspace.dvhs)
    target = next(d for d in workspace.dvhs if d.name == "PTV_Chestwall")
    assert workspace.metric(target.structure_number, "Mean") == pytest.approx(target.mean_gy)


def test_a_geometric_edit_makes_the_dose_stale_at_once_and_undo_brings_the_same_bytes_back(workspace, owner, beam):
    add(workspace, owner, beam)
    before, mu = workspace.dose.plan_gy.copy(), workspace.plan.beams[0].mu
    seen = []
    workspace.subscribe(lambda changes: seen.append(workspace.dose.status) if changes.dose else None)
    workspace.apply("Turn", changed(workspace.plan.beams[0], gantry_deg=beam.gantry_deg + 7.0))
    assert seen[0] in (DoseStatus.STALE, DoseStatus.COMPUTING)
    assert workspace.plan.beams[0].mu is None
    assert workspace.dvhs == ()
    assert any(f.code == "dose-stale" for f in workspace.findings)
    workspace.wait_for_dose(owner.pump)
    assert not np.array_equal(workspace.dose.plan_gy, before)
    workspace.undo()
    assert workspace.dose.status is DoseStatus.CURRENT  # known: nothing is computed again
    assert np.array_equal(workspace.dose.plan_gy, before)
    assert workspace.plan.beams[0].mu == mu


def test_prescription_and_names_compute_nothing(workspace, owner, beam):
    add(workspace, owner, beam)
    per_mu = workspace.dose.plan_gy / workspace.plan.beams[0].mu
    workspace.apply("Prescribe", prescribed(dose_gy=60.0))
    assert workspace.dose.status is DoseStatus.CURRENT
    assert workspace.dose.plan_gy == pytest.approx(per_mu * workspace.plan.beams[0].mu, rel=1e-5)
    workspace.apply("Rename", changed(workspace.plan.beams[0], name="Other"))
    assert workspace.dose.status is DoseStatus.CURRENT
    assert workspace.dose.beams[0].given_dose_gy * 0.9 == pytest.approx(60.0, rel=0.51 / workspace.plan.beams[0].mu)


def test_normalisation_to_coverage_maximum_and_fixed_units(workspace, owner, beam):
    add(workspace, owner, beam)
    target = workspace.plan.prescription.target_number
    workspace.apply("D95", prescribed(normalisation=Normalisation.D95))
    owner.until(lambda: workspace.dvhs)
    mu = workspace.plan.beams[0].mu
    assert workspace.metric(target, "D95%") == pytest.approx(50.0, rel=0.51 / mu + 2e-4)
    workspace.apply("Maximum", prescribed(normalisation=Normalisation.MAXIMUM, percent=100.0))
    mu = workspace.plan.beams[0].mu
    assert workspace.dose.max_gy == pytest.approx(50.0, rel=0.51 / mu)
    workspace.apply("Fixed", prescribed(normalisation=Normalisation.FIXED_MU))
    half = workspace.dose.plan_gy / mu * 50.0
    workspace.apply("MU", changed(workspace.plan.beams[0], mu=50.0))
    assert workspace.dose.plan_gy == pytest.approx(half, rel=1e-5)


def test_histograms_that_arrive_after_their_dose_is_gone_are_dropped(workspace, owner, beam):
    add(workspace, owner, beam)
    while owner.jobs.active():  # the histograms of this dose are ready, but not yet taken over
        time.sleep(0.01)
    workspace.apply("D95", prescribed(normalisation=Normalisation.D95))
    target, shown = workspace.plan.prescription.target_number, []
    workspace.subscribe(lambda changes: shown.append(workspace.metric(target, "D95%")) if changes.dvh else None)
    owner.until(lambda: shown)
    assert shown == [pytest.approx(50.0, rel=0.51 / workspace.plan.beams[0].mu + 2e-4)]


def test_weights_share_the_given_dose(workspace, owner, beam):
    add(workspace, owner, beam)
    second = attrs.evolve(beam, id="second", number=2, name="B2", gantry_deg=beam.gantry_deg + 5.0, weight=3.0)
    workspace.apply("Add", lambda plan: with_beam(plan, second))
    workspace.wait_for_dose(owner.pump)
    first, other = workspace.dose.beams
    assert other.given_dose_gy / first.given_dose_gy == pytest.approx(3.0, rel=0.51 / first.mu + 0.51 / other.mu)
    assert workspace.dose.plan_gy == pytest.approx(first.gy + other.gy, rel=1e-5)
    workspace.apply("Remove", lambda plan: without_beam(without_beam(plan, 1), 2))
    assert workspace.dose.status is DoseStatus.NONE
    assert workspace.dose.plan_gy is None


def test_cancel_leaves_the_dose_out_of_date(workspace, owner, beam):
    workspace.apply("Add beam", lambda plan: with_beam(plan, beam))
    workspace.cancel_dose()
    owner.until(lambda: not owner.jobs.active())
    assert workspace.dose.status is DoseStatus.STALE
    with pytest.raises(ExportRejected):
        plan_report(workspace, ())
    workspace.compute_dose()
    workspace.wait_for_dose(owner.pump)


def test_a_beam_that_misses_is_told_and_has_no_dose(workspace, owner, beam):
    workspace.apply("Away", lambda plan: with_beam(plan, attrs.evolve(beam, isocentre_cm=(100.0, 0.0, 0.0))))
    owner.until(lambda: workspace.dose.status is DoseStatus.FAILED)
    assert "external contour" in workspace.dose.message
    assert workspace.plan.beams[0].ssd_cm is None
    assert any(f.code == "no-ssd" for f in workspace.findings)


def test_a_refused_edit_changes_nothing(workspace, owner, beam):
    add(workspace, owner, beam)
    plan = workspace.plan
    with pytest.raises(InvalidPlan):
        workspace.apply("Bad", prescribed(dose_gy=-1.0))
    assert workspace.plan is plan
    assert workspace.dose.status is DoseStatus.CURRENT


def test_undo_past_everything_and_redo(workspace, owner, beam):
    add(workspace, owner, beam)
    workspace.undo()
    assert workspace.dose.status is DoseStatus.NONE
    workspace.redo()
    assert workspace.dose.status is DoseStatus.CURRENT
    assert workspace.undo_label == "Add beam"


def test_report_speaks_of_the_saved_plan_only(workspace, owner, beam):
    add(workspace, owner, beam)
    with pytest.raises(ExportRejected, match="edited"):
        plan_report(workspace, ())
    saved = []
    workspace.save(lambda: saved.append(True))
    owner.until(lambda: saved)
    report = plan_report(workspace, ())
    assert report.revision == 2
    assert report.is_demo
    assert report.dose_gy is workspace.dose.plan_gy


def test_monitor_units_are_checked_by_hand_and_printed_while_the_dose_is_the_plans(workspace, owner, beam, tmp_path):
    assert workspace.mu_checks == ()
    add(workspace, owner, beam)
    (found,) = workspace.mu_checks
    assert found.engine_mu == workspace.plan.beams[0].mu
    codes = {f.code for f in workspace.findings}
    assert ("mu-unchecked" in codes) == (found.worksheet is None)
    if found.worksheet is not None:  # 2 Gy / 90 % in water
        assert found.worksheet.dose_cgy == pytest.approx(222.222, abs=0.001)
        assert abs(found.difference_pct) < 3
    content = write_mu_sheets(workspace, tmp_path / "sheets.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    workspace.apply("Turn", changed(workspace.plan.beams[0], gantry_deg=beam.gantry_deg + 1.0))
    assert workspace.mu_checks == ()
    with pytest.raises(ExportRejected):
        write_mu_sheets(workspace, tmp_path / "stale.pdf")
    assert not (tmp_path / "stale.pdf").exists()
