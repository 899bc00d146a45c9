"""While a Monte Carlo improves its picture, nothing kept from the one before is seen where it no longer fits."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QImage

from ert.app.changes import Changes
from ert.app.dose_state import DosePreview, DoseState, DoseStatus, FinalRun
from ert.domain.dvh import Dvh
from ert.ui.evaluation_panel import EvaluationPanel
from ert.ui.plots import DvhPlot, thinned
from ert.ui.slice_view import SliceView
from ert.ui.view_state import ViewState
from tests.ui.fakes import LUNG, FakeWorkspace, make_dose

AT_TARGET = (4.5, -8.0, 0.0)


@pytest.fixture
def workspace(qapp):
    return FakeWorkspace()


def show_picture(workspace, *, factor=1.0):
    gy, grid = make_dose(workspace.image)
    gy = (gy * np.float32(factor)).astype(np.float32)
    preview = DosePreview(
        grid=grid, preview_gy=gy, preview_beams_gy=(gy,), preview_mu=(200.0,), engine="monte-carlo not finished",
        uncertainty_pct=4.0,
    )  # fmt: skip
    workspace.dose = DoseState(status=DoseStatus.PREVIEW, preview=preview, final_run=FinalRun())


def shown_view(workspace, qtbot, state):
    view = SliceView(workspace, state, 2)
    qtbot.addWidget(view)
    view.resize(500, 420)
    return view


def fine_pixels(view) -> np.ndarray:
    """The view as it is drawn when the hand rests."""
    view._draw_final()
    return pixels(view)


def pixels(view) -> np.ndarray:
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def test_a_slice_with_the_next_picture_is_the_one_that_would_be_drawn_from_nothing(workspace, qtbot):
    state = ViewState(AT_TARGET)
    show_picture(workspace)
    view = shown_view(workspace, qtbot, state)
    before = fine_pixels(view)
    show_picture(workspace, factor=0.8)
    view.refresh_picture()
    after = pixels(view)
    assert not np.array_equal(before, after)
    assert np.array_equal(after, fine_pixels(shown_view(workspace, qtbot, state)))


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.set_window(1500.0, -600.0),
        lambda state: state.set_crosshair((4.5, -8.0, 2.0)),
        lambda state: state.set_structure_visible(LUNG, is_visible=False),
        lambda state: state.toggle_structures(),
        lambda state: state.toggle_beams(),
    ],
)
def test_nothing_that_changes_on_a_slice_is_taken_from_the_drawing_before(workspace, qtbot, change):
    state = ViewState(AT_TARGET)
    show_picture(workspace)
    view = shown_view(workspace, qtbot, state)
    before = fine_pixels(view)
    change(state)
    after = fine_pixels(view)
    assert not np.array_equal(before, after)
    assert np.array_equal(after, fine_pixels(shown_view(workspace, qtbot, state)))


def test_a_zoomed_slice_moves_its_outlines_with_its_picture(workspace, qtbot):
    state = ViewState(AT_TARGET)
    view = shown_view(workspace, qtbot, state)
    fine_pixels(view)
    other = shown_view(workspace, qtbot, state)
    for zoomed in (view, other):
        zoomed._zoom_at(zoomed.rect().center().toPointF(), 2.0)
    assert np.array_equal(fine_pixels(view), fine_pixels(other))


def test_a_dose_made_ahead_is_drawn_only_where_it_answers_what_is_open(workspace, qtbot):
    """Made for one picture, slice and display; another picture, or another slice, is drawn from itself."""
    state = ViewState(AT_TARGET)
    view = shown_view(workspace, qtbot, state)
    show_picture(workspace, factor=0.5)
    old = view.dose_question()
    view.ahead.keep(old, old.layer())
    assert view.ahead.layer(view.dose_question()) is view.ahead.layer(old)
    show_picture(workspace)
    view.refresh_picture()
    assert np.array_equal(fine_pixels(view), fine_pixels(shown_view(workspace, qtbot, state)))
    changes = (
        lambda: state.set_crosshair((4.5, -8.0, 2.0)),
        state.toggle_unit,
        lambda: setattr(workspace, "dose", attrs.evolve(workspace.dose, status=DoseStatus.STALE)),
        lambda: setattr(workspace, "dose", attrs.evolve(workspace.dose, final_run=None)),
    )
    for change in changes:
        before = view.dose_question()
        assert before.is_same(view.dose_question())
        change()
        assert not before.is_same(view.dose_question())


def test_a_slice_that_follows_later_names_the_picture_it_shows(workspace, qtbot):
    state = ViewState(AT_TARGET)
    show_picture(workspace)
    view = shown_view(workspace, qtbot, state)
    view.resize(700, 500)  # the plate of a wide view names the uncertainty reached
    view.show()  # one that is hidden is drawn anew for each photograph
    qtbot.waitExposed(view)
    before = fine_pixels(view)
    preview = attrs.evolve(workspace.dose.preview, uncertainty_pct=1.2)
    workspace.dose = attrs.evolve(workspace.dose, preview=preview)
    assert np.array_equal(pixels(view), before)
    view.refresh_picture()
    assert not np.array_equal(pixels(view), before)


def cell(panel, row, column):
    return panel.metrics.data(panel.metrics.index(row, column))


def test_the_table_shows_the_next_figures_and_says_what_they_are_of(workspace, qtbot):
    panel = EvaluationPanel(workspace, ViewState())
    qtbot.addWidget(panel)
    resets = []
    panel.metrics.modelReset.connect(lambda: resets.append(True))
    show_picture(workspace)
    panel.refresh()
    assert panel.metrics.headerData(1, Qt.Orientation.Horizontal).startswith("PREVIEW")
    resets.clear()
    mean_pct = [float(cell(panel, row, 4)) for row in range(3)]
    workspace.evaluation.dvhs = workspace.dvhs = tuple(attrs.evolve(d, mean_gy=0.9 * d.mean_gy) for d in workspace.dvhs)
    panel.refresh()
    assert [float(cell(panel, row, 4)) for row in range(3)] == pytest.approx([0.9 * v for v in mean_pct], abs=0.11)
    assert not resets, "columns in which the figures still fit are not laid out anew"
    workspace.evaluation.dvhs = workspace.dvhs = tuple(
        attrs.evolve(d, max_gy=1000.0 * d.max_gy) for d in workspace.dvhs
    )
    width = panel.metric_table.columnWidth(5)
    panel.refresh()
    assert panel.metric_table.columnWidth(5) > width
    workspace.dvhs = workspace.evaluation.dvhs = ()
    panel.refresh()
    assert panel.metrics.rowCount() == 0


def test_histograms_of_a_run_reach_curves_and_table_in_one_turn(page, qtbot):
    """Nobody sees the curves of one picture beside the figures of another."""
    workspace, panel = page.workspace, page.evaluation
    qtbot.waitUntil(lambda: page.dvh is not None and page.dvh.curve_count() > 0, timeout=60_000)
    dose = workspace.dose
    preview = DosePreview(
        grid=dose.grid, preview_gy=dose.plan_gy, preview_beams_gy=(dose.plan_gy,), preview_mu=(200.0,),
        engine="monte-carlo not finished", uncertainty_pct=4.0,
    )  # fmt: skip
    workspace._follower.state = DoseState(status=DoseStatus.PREVIEW, preview=preview, final_run=FinalRun())
    workspace._publish(Changes(dose=True))
    qtbot.waitUntil(lambda: panel.metrics.headerData(1, Qt.Orientation.Horizontal).startswith("PREVIEW"))
    together = []
    for changed in (panel.metrics.dataChanged, panel.metrics.modelReset):
        changed.connect(
            lambda *_: QTimer.singleShot(0, lambda: together.append(page.dvh._dvhs == workspace.shown_dvhs))
        )
    workspace.evaluation.dvhs = tuple(attrs.evolve(d, mean_gy=0.5 * d.mean_gy) for d in workspace.evaluation.dvhs)
    workspace._publish(Changes(progress=True, dvh=True))
    qtbot.waitUntil(lambda: bool(together), timeout=10_000)
    assert all(together)
    workspace.evaluation.clear()  # as when a run's first own picture takes the place of the pencil beam's
    workspace._publish(Changes(progress=True, dvh=True))
    qtbot.waitUntil(lambda: panel.metrics.rowCount() == page.dvh.curve_count() == 0, timeout=10_000)


def test_slices_of_a_run_are_made_beside_the_window_and_show_its_picture(page, qtbot):
    workspace = page.workspace
    dose = workspace.dose
    gy = (0.5 * dose.plan_gy).astype(np.float32)
    preview = DosePreview(
        grid=dose.grid, preview_gy=gy, preview_beams_gy=(gy,), preview_mu=(200.0,), engine="monte-carlo not finished"
    )
    workspace._follower.state = DoseState(status=DoseStatus.PREVIEW, preview=preview, final_run=FinalRun())
    views = page.views.slices.values()
    asked = [view.dose_question() for view in views]
    page.views.refresh_picture()
    qtbot.waitUntil(
        lambda: all(v.ahead._kept[0].is_same(q) and v._base is not None for v, q in zip(views, asked, strict=True)),
        timeout=20_000,
    )
    for view in views:
        assert view._drawn_of.preview is preview


def curve_points(plot, number):
    x, y = plot._curves[number].getData()
    return np.array(x), np.array(y)


def test_curves_move_to_the_next_histograms_and_to_no_others(workspace, qtbot):
    plot = DvhPlot()
    qtbot.addWidget(plot)
    shown = {"prescribed_gy": 50.0, "is_absolute": True, "hidden": frozenset(), "title": "PREVIEW"}
    plot.show_dvhs(workspace.dvhs, **shown)
    moved = tuple(attrs.evolve(d, dose_gy=0.9 * d.dose_gy) for d in workspace.dvhs)
    plot.show_dvhs(moved, **shown)
    for dvh in moved:
        x, y = curve_points(plot, dvh.structure_number)
        assert np.abs(np.interp(x, dvh.dose_gy, dvh.volume_pct) - y).max() < 1e-9
        assert x[-1] == pytest.approx(dvh.dose_gy[np.flatnonzero(dvh.volume_pct > 0)[-1] + 1])
    plot.show_dvhs(moved[:1], **shown)
    assert list(plot._curves) == [moved[0].structure_number]
    plot.show_dvhs((), **shown | {"message": "Dose is out of date"})
    assert plot.curve_count() == 0
    assert plot._message.toPlainText() == "Dose is out of date"


@pytest.mark.parametrize("width_gy", [0.5, 5.0, 20.0])
def test_a_drawn_curve_is_the_histogram_to_a_quarter_of_a_percent(width_gy):
    """Two sigmoids with a flat part between them, by straight lines between the curve's points, but for both ends."""
    dose_gy = np.arange(6000) * 0.01
    volume = 60.0 / (1 + np.exp((dose_gy - 20.0) / width_gy)) + 40.0 / (1 + np.exp((dose_gy - 45.0) / width_gy))
    volume[0], volume[-1] = 100.0, 0.0
    dvh = Dvh(
        structure_number=1, name="A", colour=(1, 2, 3), volume_cc=10.0, dose_gy=dose_gy, volume_pct=volume,
        min_gy=0.0, mean_gy=30.0, max_gy=59.0, outside_cc=0.0,
    )  # fmt: skip
    x, y = thinned(dvh)
    assert np.abs(np.interp(dose_gy, x, y) - volume)[50:-50].max() < 0.25
    assert len(x) < 200
    assert (x[0], y[0], y[-1]) == (0.0, 100.0, 0.0)
