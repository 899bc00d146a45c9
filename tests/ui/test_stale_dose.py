"""A dose that is not the plan's is grey, hatched, called OUT OF DATE and has no maximum; a current one is not."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QImage

from ert.app.dose_state import DoseStatus
from ert.ui.dose_bar import DoseBar
from ert.ui.slice_layers import dose_layer
from ert.ui.slice_view import SliceView
from ert.ui.view_state import ViewState
from tests.ui.fakes import FakeWorkspace

OLD = [DoseStatus.STALE, DoseStatus.COMPUTING, DoseStatus.FAILED]
AT_TARGET = (4.5, -8.0, 0.0)


@pytest.fixture
def workspace(qapp):
    return FakeWorkspace()


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def colourfulness(image: QImage) -> float:
    picture = pixels(image)
    return float((picture.max(axis=2) - picture.min(axis=2)).mean())


@pytest.mark.parametrize("status", OLD)
def test_the_bar_says_so_and_names_no_maximum(workspace, qtbot, status):
    bar = DoseBar(workspace, ViewState())
    qtbot.addWidget(bar)
    bar.resize(1400, 40)
    assert bar.status.toolTip() == "Dose up to date"
    assert "Gy" in bar.maximum.text()
    workspace.set_dose(status=status, message="The plan was edited after this dose was computed.")
    bar.refresh()
    assert "up to date" not in bar.status.toolTip()
    assert bar.maximum.text() == "max –"
    assert not bar.compute.isHidden() or status is DoseStatus.COMPUTING


def test_stale_and_computing_are_called_out_of_date(workspace, qtbot):
    bar = DoseBar(workspace, ViewState())
    qtbot.addWidget(bar)
    for status in (DoseStatus.STALE, DoseStatus.COMPUTING):
        workspace.set_dose(status=status)
        bar.refresh()
        assert "OUT OF DATE" in bar.status.toolTip()


@pytest.mark.parametrize("status", OLD)
def test_the_wash_on_a_slice_loses_its_colours(workspace, status):
    state = ViewState(AT_TARGET)
    view = SliceView(workspace, state, 2)
    current = dose_layer(workspace, view.geometry_, view.slice_index, state.dose_display)
    assert colourfulness(current.wash) > 5
    workspace.set_dose(status=status)
    old = dose_layer(workspace, view.geometry_, view.slice_index, state.dose_display)
    assert old.is_stale
    assert colourfulness(old.wash) < 0.5


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_every_slice_view_is_marked_and_unmarked(workspace, qtbot, axis):
    view = SliceView(workspace, ViewState(AT_TARGET), axis)
    qtbot.addWidget(view)
    view.resize(500, 420)
    assert not view.is_dose_stale
    current = pixels(view.grab().toImage())
    workspace.set_dose(status=DoseStatus.STALE)
    view.refresh()
    assert view.is_dose_stale
    marked = pixels(view.grab().toImage())
    corner = (slice(0, 40), slice(380, 500))  # the plate with the words is at the upper right
    assert np.abs(marked[corner] - current[corner]).max() > 60
    changed = np.abs(marked - current).sum(axis=2) > 0
    assert all(part.any() for part in np.array_split(changed, 8))  # the hatch is everywhere
    workspace.set_dose(status=DoseStatus.CURRENT)
    view.refresh()
    assert not view.is_dose_stale
    assert np.array_equal(pixels(view.grab().toImage()), current)
