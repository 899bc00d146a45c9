"""A Monte Carlo plan is followed by a preview; its own dose comes on request, and only that leaves the program."""

import json

import attrs
import numpy as np
import pydicom
import pypdfium2
import pytest

from ert.analysis.dvh import compute_dvh
from ert.app.dose_service import DoseService
from ert.app.dose_state import DoseStatus
from ert.app.export_service import export_plan
from ert.app.jobs import JobContext
from ert.app.no_cache import NoCache
from ert.app.plan_output import plan_report
from ert.domain.algorithm import Algorithm
from ert.domain.dose import NUMERICS_VERSION, DoseResult
from ert.domain.identity import array_digest
from ert.domain.plan import DoseGridSpec, Goal, with_beam
from ert.errors import DigestMismatch, ExportRejected, InvalidPlan, Refused
from ert.reports.plan_report import plan_report_pdf
from ert.storage.run_shelf import RunShelf


@pytest.fixture
def planned(workspace, owner, beam):
    """One beam on a coarse grid, computed by Monte Carlo to 3 %; the preview is there."""
    workspace.apply(
        "Plan",
        lambda plan: attrs.evolve(
            with_beam(plan, beam), algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=3.0,
            dose_grid=DoseGridSpec(spacing_cm=1.0, margin_cm=2.0),
        ),
    )  # fmt: skip
    owner.until(lambda: workspace.dose.status is DoseStatus.PREVIEW)
    return workspace


def until_histograms(workspace, owner):
    owner.until(lambda: workspace.shown_dvhs)


def test_edits_are_followed_by_the_interactive_engine_and_nothing_takes_its_dose_for_the_plans(planned, owner):
    state = planned.dose
    assert state.picture_engine.startswith("pencil-beam")
    assert state.plan_gy is None
    assert not state.is_current
    assert planned.plan.beams[0].mu is None
    until_histograms(planned, owner)
    assert planned.dvhs == ()
    assert planned.mu_checks == ()
    assert planned.metric(planned.plan.prescription.target_number, "Mean") is None
    assert any(f.code == "dose-preview" for f in planned.findings)
    with pytest.raises(ExportRejected, match="no dose that belongs to the plan"):
        plan_report(planned, planned.shown_dvhs)
    # 50 Gy are 90 % of the given dose, also in the picture.
    mu = state.preview.preview_mu[0]
    known = planned._dose_service.remembered(attrs.evolve(planned.plan, algorithm=Algorithm.PENCIL_BEAM))
    assert state.preview.preview_gy == pytest.approx(known[0].gy_per_mu * np.float32(mu * 25), rel=1e-6)
    assert 0.9 * known[0].given_dose_gy_per_mu * mu * 25 == pytest.approx(50.0, rel=0.51 / mu)


def test_the_final_dose_is_the_plans_with_its_errors_and_comes_back_from_the_store(session, planned, owner, tmp_path):
    seen = []
    planned.subscribe(lambda changes: seen.append(planned.dose) if changes.progress else None)
    planned.compute_final_dose()
    assert planned.dose.status is DoseStatus.PREVIEW
    planned.apply("Goal", lambda p: attrs.evolve(
        p, goals=(Goal(structure_number=p.prescription.target_number, metric="D95%", comparison=">=", value=95.0,
                       unit="%"),)))  # fmt: skip
    planned.wait_for_dose(owner.pump)  # a goal asks for no other dose: the run went on
    final = planned.dose
    assert final.is_current
    assert (final.preview, final.final_run) == (None, None)
    assert final.engine.startswith("monte-carlo")
    assert final.uncertainty.mean_pct <= 3.0
    assert any(s.final_run is not None and s.final_run.histories > 0 for s in seen)
    assert 0.0 < float(final.uncertainty.sigma_gy.max()) < final.max_gy
    assert planned.plan.beams[0].mu == round(planned.plan.beams[0].mu)
    saved = []
    planned.save(on_saved=lambda: saved.append(True))
    owner.until(lambda: saved)
    owner.until(lambda: planned.dvhs)
    report = plan_report(planned, planned.dvhs)
    assert report.engine == f"monte-carlo {NUMERICS_VERSION}, {final.uncertainty.mean_pct:.2f} %, " + (
        f"{final.uncertainty.histories} histories"
    )
    pages = pypdfium2.PdfDocument(plan_report_pdf(report))
    text = "".join(page.get_textpage().get_text_range() for page in pages).replace("\r\n", "")
    assert f"Statistical uncertainty {final.uncertainty.mean_pct:.1f} %" in text
    assert array_digest(final.uncertainty.sigma_gy) in text
    assert len(report.dvh_bands) == len(planned.evaluation.bands) > 0
    assert "one standard error lower and higher in all voxels" in text
    export_plan(session, planned, tmp_path / "dicom", JobContext())
    doses = [pydicom.dcmread(path) for path in (tmp_path / "dicom").rglob("*dose*.dcm")]
    assert doses
    assert all(f", {final.uncertainty.mean_pct:.2f} %, " in ds.SeriesDescription for ds in doses)
    planned.close()
    again = session.open_plan(planned.plan.id)
    owner.until(lambda: again.dose.status is not DoseStatus.COMPUTING)
    assert again.dose.is_current  # kept with the plan: nothing was simulated
    assert np.array_equal(again.dose.plan_gy, final.plan_gy)
    assert np.array_equal(again.dose.uncertainty.sigma_gy, final.uncertainty.sigma_gy)
    assert again.dose.uncertainty.mean_pct == final.uncertainty.mean_pct
    again.close()


def test_an_edit_ends_the_run_and_undo_brings_the_finished_dose_back(planned, owner):
    planned.wait_for_dose(owner.pump)
    before = planned.dose.plan_gy
    planned.apply("Turn", lambda p: with_beam(p, attrs.evolve(p.beams[0], gantry_deg=p.beams[0].gantry_deg + 5.0)))
    assert planned.dose.is_outdated
    owner.until(lambda: planned.dose.status is DoseStatus.PREVIEW)
    planned.compute_final_dose()
    planned.undo()
    assert planned.dose.is_current
    assert np.array_equal(planned.dose.plan_gy, before)


def test_a_cancelled_run_leaves_a_picture_that_is_no_dose(planned, owner):
    planned.apply("Finer", lambda p: attrs.evolve(p, uncertainty_pct=0.5))
    owner.until(lambda: planned.dose.status is DoseStatus.PREVIEW)
    planned.compute_final_dose()
    owner.until(lambda: planned.dose.preview.uncertainty_pct is not None)
    planned.cancel_dose()
    owner.until(lambda: planned.dose.final_run is None)
    state = planned.dose
    assert state.status is DoseStatus.PREVIEW
    assert state.preview.uncertainty_pct > 0.5
    assert state.picture_engine == "monte-carlo not finished"
    assert not isinstance(state.preview, DoseResult)
    assert planned.plan.beams[0].mu is None
    assert planned.dvhs == ()
    with pytest.raises(ExportRejected):
        plan_report(planned, ())


def test_histograms_of_a_run_are_those_of_its_picture(planned, owner):
    planned.apply("Finer", lambda p: attrs.evolve(p, uncertainty_pct=0.5))
    owner.until(lambda: planned.dose.status is DoseStatus.PREVIEW)
    until_histograms(planned, owner)
    told = []

    def look(changes):
        if changes.picture or changes.dvh:
            told.append((planned.dose.picture_engine.split()[0], planned.shown_dvhs))

    of_the_estimate = planned.shown_dvhs
    planned.subscribe(look)
    planned.compute_final_dose()
    owner.until(lambda: any(engine == "monte-carlo" and dvhs for engine, dvhs in told))
    assert all(dvhs is not of_the_estimate for engine, dvhs in told if engine == "monte-carlo")
    planned.cancel_dose()
    owner.until(lambda: planned.dose.final_run is None)
    until_histograms(planned, owner)
    gy, grid = planned.dose.picture
    for dvh in planned.shown_dvhs:
        structure = next(s for s in planned.structures.structures if s.number == dvh.structure_number)
        assert dvh.mean_gy == compute_dvh(structure, gy, grid).mean_gy
    assert planned.dvhs == ()


def test_the_wanted_uncertainty_is_refused_outside_its_range(planned):
    for wrong in (0.49, 3.01, -1.0):
        with pytest.raises(InvalidPlan, match=r"0.5 to 3 %"):
            planned.apply("Uncertainty", lambda p, wrong=wrong: attrs.evolve(p, uncertainty_pct=wrong))
    assert planned.plan.uncertainty_pct == 3.0


def test_a_plan_that_follows_its_edits_has_no_final_dose_to_ask_for(workspace, owner, beam):
    workspace.apply("Add beam", lambda plan: with_beam(plan, beam))
    workspace.wait_for_dose(owner.pump)
    with pytest.raises(Refused, match="begins from a preview"):
        workspace.compute_final_dose()


def test_an_interrupted_run_is_offered_again_and_gives_the_dose_of_an_unbroken_one(
    tmp_path, beam, workspace, session, owner
):
    """The plan is closed in the middle of its run, as by a lock or the end of the program, and opened again."""
    session.store._runs = RunShelf(tmp_path / "runs", session.store._runs._vault)
    workspace._dose_service._runs = session.store.runs
    spec = DoseGridSpec(spacing_cm=1.0, margin_cm=2.0)
    workspace.apply(
        "Plan",
        lambda plan: attrs.evolve(
            with_beam(plan, beam), algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=3.0, dose_grid=spec
        ),
    )
    owner.until(lambda: workspace.dose.status is DoseStatus.PREVIEW)
    assert not workspace.dose.is_resumable
    saved = []
    workspace.save(on_saved=lambda: saved.append(True))
    owner.until(lambda: saved)
    workspace.compute_final_dose()
    owner.until(lambda: workspace.dose.final_run is not None and workspace.dose.final_run.remaining_s is not None)
    interrupted = workspace._follower._job
    workspace.close()
    owner.until(lambda: interrupted.state.is_final)
    again = session.open_plan(workspace.plan.id)
    owner.until(lambda: again.dose.status is DoseStatus.PREVIEW)
    assert again.dose.is_resumable
    assert "can go on" in again.dose.message
    (request,) = again._dose_service.requests(again.plan)
    before = json_head(session.store.runs.get(request.request.digest))["histories"]
    assert before > 0
    seen = []
    again.subscribe(lambda _c: seen.append(again.dose.final_run.histories) if again.dose.final_run else None)
    again.wait_for_dose(owner.pump)
    assert min(h for h in seen if h) >= before  # nothing was simulated twice
    assert not session.store.runs.has(request.request.digest)
    unbroken = DoseService(
        image=again.image, structures=again.structures, models=session.models, kept=lambda _d: None, cache=NoCache()
    ).compute(again.plan, JobContext())
    assert array_digest(again._follower.results[0].gy_per_mu) == array_digest(unbroken[0].gy_per_mu)
    again.close()


def json_head(checkpoint):
    start = checkpoint.index(b"\n") + 1
    length = int.from_bytes(checkpoint[start : start + 8], "little")
    return json.loads(checkpoint[start + 8 : start + 8 + length])


def test_a_run_that_does_not_fit_is_given_up_and_begun_anew(workspace, tmp_path, session):
    service, digest = workspace._dose_service, "ab" * 32
    service._runs = RunShelf(tmp_path / "runs", session.store._runs._vault)
    service._runs.put(digest, b"a run of another time")
    asked = []

    def compute(watch):
        asked.append(watch.resume_from)
        if watch.resume_from is not None:
            raise DigestMismatch("The Monte Carlo checkpoint is damaged.")
        return "the dose"

    assert service._resumed(digest, None, compute) == "the dose"
    assert asked == [b"a run of another time", None]
    assert not service._runs.has(digest)
