"""What the window says and draws of a Monte Carlo dose, of its uncertainty, and of what is not a dose yet."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from ert.app.dose_state import DosePreview, DoseState, DoseStatus, FinalRun
from ert.domain.algorithm import Algorithm
from ert.domain.dose_uncertainty import DoseUncertainty
from ert.ui.dose_bar import DoseBar
from ert.ui.dose_words import duration_text, final_run_text
from ert.ui.isodose import uncertainty_table
from ert.ui.page_header import ElidedLabel
from ert.ui.plots import DvhPlot
from ert.ui.probe import dose_text
from ert.ui.slice_layers import MAP_TOP_PCT, dose_layer
from ert.ui.slice_view import SliceView
from ert.ui.view_state import ViewState
from tests.ui.fakes import FakeWorkspace, make_dose

AT_TARGET = (4.5, -8.0, 0.0)
SIGMA_PCT = 3.0


@pytest.fixture
def workspace(qapp):
    return FakeWorkspace()


def as_monte_carlo(workspace):
    """The fake's dose as one of Monte Carlo with 3 % in every voxel."""
    sigma_gy = workspace.dose.plan_gy * np.float32(SIGMA_PCT / 100)
    uncertainty = DoseUncertainty(sigma_gy=sigma_gy, mean_pct=1.94, histories=14_700_000)
    workspace.set_dose(engine="monte-carlo 7, 1.94 %, 14700000 histories", uncertainty=uncertainty)


def as_preview(workspace, *, engine="pencil-beam 7", uncertainty_pct=None, run=None):
    gy, grid = make_dose(workspace.image)
    preview = DosePreview(
        grid=grid, preview_gy=gy, preview_beams_gy=(gy,), preview_mu=(200.0,), engine=engine,
        uncertainty_pct=uncertainty_pct,
    )  # fmt: skip
    workspace.dose = DoseState(status=DoseStatus.PREVIEW, preview=preview, final_run=run, message="Press it.")


def shown_bar(workspace, qtbot):
    bar = DoseBar(workspace, ViewState())
    qtbot.addWidget(bar)
    bar.resize(1400, 40)
    return bar


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGBA8888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4).astype(int)


def test_the_bar_states_the_uncertainty_of_the_dose(workspace, qtbot):
    as_monte_carlo(workspace)
    bar = shown_bar(workspace, qtbot)
    assert bar.algorithm.text() == "Monte Carlo, ± 1.9 %"
    assert "14,700,000 histories" in bar.algorithm.toolTip()
    assert bar.final.isHidden()


def test_a_text_with_a_short_form_is_never_cut_where_the_short_form_fits(qtbot):
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.setFixedWidth(90)
    label.show()
    label.set_full_text("PREVIEW: Press “Final dose” to compute the plan's own dose.", short="PREVIEW")
    assert label.text() == "PREVIEW", "what to press stands beside it"
    label.setFixedWidth(900)
    qtbot.waitUntil(lambda: label.text().endswith("own dose."))


def test_a_preview_is_called_so_names_no_maximum_and_offers_the_final_dose(workspace, qtbot):
    as_preview(workspace)
    bar = shown_bar(workspace, qtbot)
    assert bar.status.toolTip() == "PREVIEW: Press it."
    assert bar.algorithm.text() == "Pencil beam (estimate)"
    assert "not the plan's dose" in bar.algorithm.toolTip()
    assert bar.maximum.text() == "max –"
    assert not bar.final.isHidden()
    assert bar.compute.isHidden()
    bar.final.click()
    assert workspace.dose_calls == ["final"]
    as_preview(workspace, engine="monte-carlo not finished", uncertainty_pct=4.13)
    bar.refresh()
    assert bar.algorithm.text() == "Monte Carlo, unfinished (4.1 %)"


def test_a_run_says_what_it_reached_what_is_wanted_and_how_long_it_takes_and_can_be_cancelled(workspace, qtbot):
    run = FinalRun(beam_name="AP", histories=1000, uncertainty_pct=3.46, remaining_s=34.2)
    as_preview(workspace, engine="monte-carlo not finished", uncertainty_pct=3.5, run=run)
    bar = shown_bar(workspace, qtbot)
    assert bar.status.toolTip() == "3.5 % of 2.0 %, 35 s left"
    assert bar.final.isHidden()
    assert not bar.progress.isHidden()
    bar.cancel.click()
    assert workspace.dose_calls == ["cancel"]


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "1 s"), (0.4, "1 s"), (119.0, "119 s"), (121.0, "3 min")])
def test_times_to_wait(seconds, text):
    assert duration_text(seconds) == text


def test_a_run_without_figures_says_what_it_does():
    assert final_run_text(FinalRun(), "Monte Carlo begins", wanted_pct=2.0) == "Monte Carlo begins"


def test_slices_mark_a_preview_and_draw_it_in_colour(workspace, qtbot):
    view = SliceView(workspace, ViewState(AT_TARGET), 2)
    qtbot.addWidget(view)
    view.resize(500, 420)
    current = pixels(view.grab().toImage())
    as_preview(workspace)
    view.refresh()
    assert not view.is_dose_stale
    marked = pixels(view.grab().toImage())
    corner = (slice(0, 50), slice(300, 500))  # the plate with the words is at the upper right
    assert np.abs(marked[corner] - current[corner]).max() > 40
    assert not dose_layer(workspace, view.geometry_, view.slice_index, view._state.dose_display).is_stale


def test_the_map_has_the_colour_of_the_error_where_there_is_dose_and_none_elsewhere(workspace):
    as_monte_carlo(workspace)
    state = ViewState(AT_TARGET)
    state.toggle_uncertainty()
    view = SliceView(workspace, state, 2)
    layer = dose_layer(workspace, view.geometry_, view.slice_index, state.dose_display)
    picture = pixels(layer.wash)
    seen = picture[picture[:, :, 3] > 0]
    assert 0.05 < len(seen) / picture[:, :, 3].size < 0.9
    colour = uncertainty_table()[int(255 * SIGMA_PCT / MAP_TOP_PCT), :3]
    assert np.abs(seen[:, :3] - colour).max() <= 3  # premultiplied alpha rounds
    workspace.set_dose(status=DoseStatus.STALE)
    old = dose_layer(workspace, view.geometry_, view.slice_index, state.dose_display)
    assert pixels(old.wash)[:, :, :3].std(axis=2).max() < 1  # grey, and no map: it belongs to another plan


def test_the_probe_states_the_error_and_names_a_preview(workspace):
    plain = dose_text(workspace, AT_TARGET)
    assert "±" not in plain
    as_monte_carlo(workspace)
    gy = float(plain.split(" Gy")[0])
    assert dose_text(workspace, AT_TARGET).startswith(f"{gy:.2f} Gy ± {gy * SIGMA_PCT / 100:.2f} Gy (")
    as_preview(workspace)
    assert dose_text(workspace, AT_TARGET) == f"preview {plain}"


def test_histograms_have_a_band_where_the_dose_has_errors(workspace, qtbot):
    plot = DvhPlot()
    qtbot.addWidget(plot)
    dvh = workspace.dvhs[0]
    shown = {"prescribed_gy": 50.0, "is_absolute": True, "hidden": frozenset()}
    plot.show_dvhs(workspace.dvhs, bands={dvh.structure_number: (dvh, dvh)}, **shown)
    assert (plot.curve_count(), plot.band_count()) == (len(workspace.dvhs), 1)
    plot.show_dvhs(workspace.dvhs, title="PREVIEW", **shown)
    assert plot.band_count() == 0


def figures_head(page):
    """What stands over the names in the table of dose-volume metrics."""
    return page.evaluation.metrics.headerData(1, Qt.Orientation.Horizontal)


def test_the_window_plans_by_preview_and_exports_the_final_dose_only(window, qtbot):
    """The whole way on a real site: choose Monte Carlo, see the preview, ask for the final dose, save, report."""
    (row,) = window.session.patients()
    window.open_plan(row.courses[0].plans[0].plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=20_000)
    page = window.plan_page
    workspace = page.workspace
    beam = workspace.tools.propose(workspace.plan, workspace.plan.prescription.target_number)
    spec = attrs.evolve(workspace.plan.dose_grid, spacing_cm=1.0, margin_cm=2.0)
    workspace.apply("Plan", lambda p: attrs.evolve(p, beams=(beam,), dose_grid=spec, uncertainty_pct=3.0))
    page.prescription.engine.setCurrentIndex(page.prescription.engine.findData(Algorithm.MONTE_CARLO))
    page.prescription.engine.activated.emit(0)
    qtbot.waitUntil(lambda: workspace.dose.status is DoseStatus.PREVIEW, timeout=60_000)
    qtbot.waitUntil(lambda: bool(workspace.shown_dvhs), timeout=60_000)
    qtbot.waitUntil(page.dose_bar.final.isVisible, timeout=5_000)
    qtbot.waitUntil(lambda: figures_head(page).startswith("PREVIEW"), timeout=5_000)
    assert not page.actions_.report.isEnabled()
    assert not page.actions_.uncertainty.isEnabled()
    page.dose_bar.final.click()
    qtbot.waitUntil(lambda: workspace.dose.is_current, timeout=300_000)
    qtbot.waitUntil(lambda: bool(workspace.evaluation.bands), timeout=60_000)
    qtbot.waitUntil(lambda: page.dose_bar.algorithm.text().startswith("Monte Carlo, ±"), timeout=5_000)
    assert page.actions_.uncertainty.isEnabled()
    assert figures_head(page) == "Structure"
    target = workspace.plan.prescription.target_number
    low, high = workspace.evaluation.bands[target]
    (middle,) = [d for d in workspace.dvhs if d.structure_number == target]
    assert low.mean_gy < middle.mean_gy < high.mean_gy
    workspace.save()
    qtbot.waitUntil(lambda: not workspace.is_dirty, timeout=20_000)
    qtbot.waitUntil(page.actions_.report.isEnabled, timeout=5_000)
