"""The commissioning report, and the figures in it against curves with known answers."""

import datetime as dt

import numpy as np
import pypdfium2
import pytest

from ert.domain.beam_model import FittedParameter, MeasuredRange
from ert.domain.commissioning import (
    CheckComparison,
    CommissioningReport,
    CurveComparison,
    DepthComparison,
    EnergyReport,
    OutputComparison,
    ProfileEdges,
)
from ert.reports.model_figures import worst_points
from ert.reports.model_report import model_report_pdf

POSITION = np.linspace(-10, 10, 401)
TRAPEZOID = np.clip((6.0 - np.abs(POSITION)) / 2.0, 0.0, 1.0)  # 100 % to 4 cm, 50 % at 5 cm, zero at 6 cm


def curve(**changes):
    values = {
        "name": "A10 open SSD 100, crossline at 1 cm",
        "file": "p.csv",
        "kind": "profile",
        "axis": "crossline",
        "depth_cm": 1.0,
        "applicator_id": "A10",
        "cutout": "open",
        "ssd_cm": 100.0,
        "position_cm": POSITION,
        "measured_cgy_per_mu": TRAPEZOID,
        "sigma_cgy_per_mu": np.full(401, 0.01),
        "computed_cgy_per_mu": TRAPEZOID * 1.01,
        "gamma_2_2_pct": 97.0,
        "gamma_3_3_pct": 93.0,
        "measured_edges": ProfileEdges(width_cm=10.0, penumbra_cm=1.2),
        "computed_edges": ProfileEdges(width_cm=10.0, penumbra_cm=float("nan")),
    }
    return CurveComparison(**{**values, **changes})


def report():
    energy = EnergyReport(
        energy_mev=12.0,
        model_digest="a" * 64,
        depths=(DepthComparison(name="R50", measured_cm=4.909, computed_cm=4.95),),
        curves=(curve(), curve(kind="depth_dose", axis="", depth_cm=float("nan"), name="A10 open SSD 100, depth dose")),
        outputs=(
            OutputComparison(
                name="A10 3x3",
                applicator_id="A10",
                cutout="3x3",
                ssd_cm=100.0,
                side_cm=3.0,
                measured_cgy_per_mu=0.9,
                relative_sigma=0.005,
                computed_cgy_per_mu=0.927,
                correction=1.01,
            ),
        ),
        parameters=(FittedParameter(name="virtual_sad_cm", value=88.5, uncertainty=0.4, source="air profiles"),),
        identity_error_pct=0.04,
        smoothing_chi2=0.2,
        fit_chi2=1.1,
        ssd_min_cm=97.5,
        ssd_max_cm=115.0,
        min_side_cm=2.0,
        limits=("no cutout was measured",),
        measured_range=MeasuredRange(depth_min_cm=0.1, depth_max_cm=9.9, incidence_max_deg=30.0),
        checks=(
            CheckComparison(
                name="Bone bar",
                kind="heterogeneous",
                phantom="A10 open SSD 100, water, compact bone",
                curves=(
                    curve(
                        kind="check",
                        axis="x",
                        depth_cm=float("nan"),
                        name="Bone bar, along x at y 0 cm",
                        computed_cgy_per_mu=TRAPEZOID * 1.04,
                    ),
                ),
            ),
            CheckComparison(
                name="Far",
                kind="oblique",
                phantom="A10 open SSD 130, water",
                curves=(),
                refusal="The distance is 130.0 cm.",
            ),
        ),
    )
    return CommissioningReport(
        machine_name="Test linac", origin="synthetic", package_digest="b" * 64, is_demo=True, energies=(energy,)
    )


def test_the_worst_point_is_found_and_low_doses_do_not_count():
    wrong = TRAPEZOID.copy()
    wrong[POSITION == -3.0] += 0.07
    wrong[0] += 5.0  # outside the field: below 10 % of the maximum
    (worst, *_) = worst_points([curve(computed_cgy_per_mu=wrong)])
    assert worst.position_cm == -3.0
    assert worst.difference_pct == pytest.approx(7.0)


def test_the_report_says_what_was_measured_and_what_was_computed():
    pdf = model_report_pdf(report(), software="ERT 0", printed_at=dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC))
    document = pypdfium2.PdfDocument(pdf)
    pages = [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]
    document.close()
    for number, text in enumerate(pages, start=1):
        assert f"page {number} of {len(pages)}" in text
        assert "Machine Test linac" in text
        assert "DEMO MACHINE – NOT FOR CLINICAL USE" in text
    everything = " ".join(pages)
    for wanted in (
        "4.909", "4.950", "+0.41", "+3.00 %", "97.5 to 115 cm",
        "measured in water from 0.1 to 9.9 cm deep, incidence verified to 30°", "no cutout was measured",
        "b" * 64, "virtual_sad_cm",
        "93.0 %", "Check: Bone bar (heterogeneous)", "compact bone", "Worst, 2 mm allowed", "+4.00 %",
        "Refused by the engine: The distance is 130.0 cm.", "10.00 / 10.00", "1.20 / –",
    ):  # fmt: skip
        assert wanted in everything, wanted


def test_equal_reports_give_equal_bytes():
    now = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
    assert model_report_pdf(report(), software="x", printed_at=now) == model_report_pdf(
        report(), software="x", printed_at=now
    )
