"""A plan whose beams are computed by different engines: preview, final dose, second check, report, DICOM."""

import attrs
import numpy as np
import pydicom
import pypdfium2
import pytest

from ert.app.dose_state import DoseStatus
from ert.app.export_service import export_plan
from ert.app.jobs import JobContext
from ert.app.plan_output import plan_report
from ert.app.second_check import compared_plans
from ert.domain.algorithm import Algorithm
from ert.domain.dose import NUMERICS_VERSION
from ert.domain.identity import new_id
from ert.domain.plan import DoseGridSpec, with_algorithm, with_beam
from ert.errors import Refused
from ert.reports.plan_report import plan_report_pdf


@pytest.fixture
def mixed(workspace, owner, beam):
    """A Monte Carlo beam and one by the pencil beam, on a coarse grid; the preview is there."""
    other = attrs.evolve(
        beam, id=new_id(), number=2, name="Second", gantry_deg=beam.gantry_deg + 10.0, algorithm=Algorithm.PENCIL_BEAM
    )
    workspace.apply(
        "Plan",
        lambda plan: attrs.evolve(
            with_beam(with_beam(plan, beam), other), algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=3.0,
            dose_grid=DoseGridSpec(spacing_cm=1.0, margin_cm=2.0),
        ),
    )  # fmt: skip
    owner.until(lambda: workspace.dose.status is DoseStatus.PREVIEW)
    return workspace


def test_each_beam_has_its_own_engine_from_preview_to_paper(session, mixed, owner, tmp_path):
    assert mixed.dose.picture_engine == f"pencil-beam {NUMERICS_VERSION}"
    mixed.wait_for_dose(owner.pump)
    final = mixed.dose
    exact, noisy = mixed._follower.results[1], mixed._follower.results[0]
    assert (exact.statistics, noisy.statistics is None) == (None, False)
    mu = [b.mu for b in mixed.plan.beams]
    by_hand = noisy.gy_per_mu.astype(float) * noisy.statistics.relative_sigma * mu[0] * 25
    np.testing.assert_allclose(final.uncertainty.sigma_gy, by_hand, rtol=1e-5, atol=1e-7)
    assert final.uncertainty.mean_pct < noisy.statistics.uncertainty_pct  # the other beam's dose has no noise
    assert final.engine.startswith(
        f"pencil-beam {NUMERICS_VERSION} (beam 2); monte-carlo {NUMERICS_VERSION} (beam 1), "
    )
    alone = with_algorithm(mixed.plan, Algorithm.PENCIL_BEAM)
    asked = [item.request.digest for item in mixed._dose_service.requests(alone)]
    assert exact.request_digest == asked[1]  # a beam's own choice asks for the very dose a plan's choice asks for
    saved = []
    mixed.save(on_saved=lambda: saved.append(True))
    owner.until(lambda: saved)
    pages = pypdfium2.PdfDocument(plan_report_pdf(plan_report(mixed, ())))
    text = " ".join("".join(p.get_textpage().get_text_range() for p in pages).split())
    assert f"pencil-beam {NUMERICS_VERSION} (beam 2)" in text
    assert "The beams of other engines are not in it" in text
    assert text.count(f"monte-carlo {NUMERICS_VERSION}") >= 2  # beside the beam, and in the provenance
    export_plan(session, mixed, tmp_path / "dicom", JobContext())
    doses = {p.stem: pydicom.dcmread(p) for p in (tmp_path / "dicom").glob("rtdose*.dcm")}
    named = f"ERT monte-carlo {NUMERICS_VERSION} + pencil-beam {NUMERICS_VERSION}, dose to medium"
    assert {ds.SeriesDescription for ds in doses.values()} == {named}
    assert f"monte-carlo {NUMERICS_VERSION}, beam 1" in doses["rtdose_beam_1"].DoseComment
    assert f"pencil-beam {NUMERICS_VERSION}, beam 2" in doses["rtdose_beam_2"].DoseComment
    again = session.open_plan(mixed.plan.id)
    owner.until(lambda: again.dose.status is not DoseStatus.COMPUTING)
    assert again.dose.is_current
    assert again.plan == mixed.plan
    again.close()


def test_a_mixed_plan_is_checked_beam_by_beam_by_the_other_engine(mixed):
    first, second = compared_plans(mixed.plan, (None, None))
    assert [first.algorithm_of(b) for b in first.beams] == [Algorithm.MONTE_CARLO, Algorithm.PENCIL_BEAM]
    assert [second.algorithm_of(b) for b in second.beams] == [Algorithm.PBRA, Algorithm.MONTE_CARLO]
    with pytest.raises(Refused, match="beam 'Second' would be computed twice by Pencil beam"):
        compared_plans(mixed.plan, (None, Algorithm.PENCIL_BEAM))
