"""A plan's approval in the window: what is missing is named, what is approved cannot be edited, what ended says so."""

from __future__ import annotations

import shutil

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QAbstractItemView, QApplication, QPushButton

from ert.app.readiness import Stage
from ert.ui.beam_eye_scene import VertexHandle
from ert.ui.patient_model import PatientTreeModel
from ert.ui.theme import GOOD
from tests.ui import real_site
from tests.ui.photograph_approval import make_site

REASON = "The patient lost weight."


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A site with a bare plan and one that can be approved; made once."""
    return make_site(tmp_path_factory.mktemp("approval"))


@pytest.fixture
def site(template, monkeypatch):
    """What the window's fixture copies."""
    monkeypatch.setattr(real_site, "filled_site", lambda path: shutil.copytree(template, path))


@pytest.fixture
def opened(site, window, qtbot):
    """A function that opens a plan by its name."""

    def open_named(name):
        (row,) = window.session.patients()
        plan_id = next(p.plan_id for p in row.courses[0].plans if p.name == name)
        window.open_plan(plan_id)
        qtbot.waitUntil(lambda: window.plan_page is not None, timeout=60_000)
        real_site.settle(window._jobs, qtbot, 60.0)
        return window.plan_page

    return open_named


def dialog(qtbot):
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is not None, timeout=20_000)
    return QApplication.activeModalWidget()


def test_a_plan_that_lacks_things_can_be_asked_about_and_every_reason_is_there(opened, qtbot):
    page = opened(real_site.PLAN_NAME)
    assert page.actions_.approval.approve.isEnabled()
    assert not page.actions_.approval.end.isEnabled()
    assert "no valid approval" in page.actions_.approval.end.toolTip()
    page.actions_.approval.approve.trigger()
    asked = dialog(qtbot)
    texts = [asked.requirements.item(n).text() for n in range(asked.requirements.count())]
    unmet = asked.view.unmet
    assert len(unmet) > 3
    assert all(any(r.sentence in text for text in texts) for r in unmet)
    for button in (asked.approve_button, asked.recompute_button):
        assert not button.isEnabled()
        assert f"{len(unmet)} of {len(asked.view.requirements)} requirements are not met" in button.toolTip()
    assert f"{len(unmet)} of " in asked.state.text()
    asked.reject()


def test_a_plan_is_approved_looked_at_and_its_approval_ended(opened, window, qtbot):
    page = opened("To approve")
    assert handles(page)
    assert "Drag a point" in page.views.beam_eye.toolTip()
    page.actions_.approval.approve.trigger()
    asked = dialog(qtbot)
    assert asked.view.unmet == ()
    assert "Recompute" in asked.reason
    asked.recompute()
    qtbot.waitUntil(lambda: asked._job is None, timeout=120_000)
    assert "every byte is the same" in asked.state.text()
    left = len(asked.view.codes)
    assert asked.reason == f"{left} lines to confirm."
    for n in range(asked.checklist.count()):
        asked.checklist.item(n).setCheckState(Qt.CheckState.Checked)
    assert asked.reason == "Your password is missing."
    asked.password.setText("Not-this-1!")
    asked.approve()
    qtbot.waitUntil(lambda: not asked._is_signing, timeout=20_000)
    assert "wrong" in asked.message.text
    asked.password.setText(real_site.PASSWORD)
    assert asked.approve_button.isEnabled()
    asked.approve()
    qtbot.waitUntil(lambda: window.plan_page is not None and window.plan_page is not page, timeout=60_000)
    real_site.settle(window._jobs, qtbot, 60.0)
    page = window.plan_page
    qtbot.waitUntil(lambda: page.workspace.dose.is_current, timeout=20_000)
    expect_frozen(page)
    expect_no_handles(page, qtbot)
    assert "Approved by" in window.header.review.text()
    assert GOOD in window.header.review.styleSheet()
    end_it(page, qtbot)
    qtbot.waitUntil(lambda: window.plan_page is not None and window.plan_page is not page, timeout=60_000)
    real_site.settle(window._jobs, qtbot, 60.0)
    page = window.plan_page
    assert page.workspace.readiness.review.stage is Stage.ENDED
    assert "DO NOT TREAT" in window.header.review.text()
    assert not page.actions_.export.isEnabled()
    assert not page.actions_.approval.end.isEnabled()
    model = PatientTreeModel()
    model.show_rows(window.session.patients())
    index = model.find(plan_id=page.workspace.plan.id)
    assert model.data(index.siblingAtColumn(3)).startswith("approval withdrawn")


def handles(page):
    return [item for item in page.views.beam_eye.scene().items() if isinstance(item, VertexHandle)]


def expect_no_handles(page, qtbot):
    """The aperture is shown, and there is nothing to take hold of; a double-click on its edge edits nothing."""
    eye, plan = page.views.beam_eye, page.workspace.plan
    assert (handles(page), tuple(eye.outline_cm)) == ([], plan.beams[0].aperture.outline_cm)
    assert "is approved; it is never changed again" in eye.toolTip()
    (x0, y0), (x1, y1) = eye.outline_cm[:2]
    on_edge = eye.mapFromScene(QPointF((x0 + x1) / 2, (y0 + y1) / 2))
    with qtbot.waitSignal(eye.maximise_requested, timeout=1000):
        qtbot.mouseDClick(eye.viewport(), Qt.MouseButton.LeftButton, pos=on_edge)
    assert (page.workspace.plan, tuple(eye.outline_cm)) == (plan, plan.beams[0].aperture.outline_cm)


def expect_frozen(page):
    """Nothing that edits is of use; each control says why."""
    why = "is approved; it is never changed again"
    assert not page.actions_.add_beam.isEnabled()
    assert why in page.actions_.add_beam.toolTip()
    for panel in (page.beams, page.prescription, page.overrides, page.points, page.goals):
        for button in panel.findChildren(QPushButton):
            assert not button.isEnabled()
            assert why in button.toolTip()
        for view in panel.findChildren(QAbstractItemView):
            assert view.editTriggers() == QAbstractItemView.EditTrigger.NoEditTriggers
    assert not page.actions_.approval.approve.isEnabled()
    assert page.actions_.approval.end.isEnabled()
    assert page.actions_.save_as.text() == "Clone as new plan…"
    assert page.actions_.save_as.isEnabled()


def end_it(page, qtbot):
    page.actions_.approval.end.trigger()
    asked = dialog(qtbot)
    assert not asked.end_button.isEnabled()
    asked.reason.setText(REASON)
    asked.password.setText(real_site.PASSWORD)
    asked.submit()
