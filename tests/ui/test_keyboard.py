"""The main steps from the keyboard alone: new plan, open, panels, dose unit, save, back, and every action by name."""

from __future__ import annotations

import attrs
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QComboBox, QLineEdit

from ert.ui.command_palette import CommandPalette
from ert.ui.import_dialog import ImportDialog
from ert.ui.new_plan_dialog import NewPlanDialog

CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


def press(window, key, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(window.focusWidget() or window, key, modifiers)


@pytest.fixture
def plan(window, qtbot):
    """Opened with Return on the plan's row."""
    window.activateWindow()
    qtbot.waitUntil(lambda: window.patient_page.chosen_patient is not None, timeout=20_000)
    page = window.patient_page
    course = page.model.index(0, 0, page.model.index(0, 0))
    page.tree.setCurrentIndex(page.model.index(0, 0, course))
    page.tree.setFocus()
    press(window, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=20_000)
    qtbot.wait(50)
    return window.plan_page


def test_panels_unit_save_and_back(window, plan, qtbot):
    for number in (4, 2, 3, 1):
        press(window, getattr(Qt.Key, f"Key_{number}"), ALT)
        assert plan._tabs.currentIndex() == number - 1
    was_absolute = plan.state.dose_display.is_absolute
    press(window, Qt.Key.Key_Percent)
    assert plan.state.dose_display.is_absolute != was_absolute
    plan.workspace.apply("Describe", lambda p: attrs.evolve(p, description="x"))
    qtbot.wait(20)
    press(window, Qt.Key.Key_S, CTRL)
    qtbot.waitUntil(lambda: not plan.workspace.is_dirty, timeout=20_000)
    press(window, Qt.Key.Key_W, CTRL)
    qtbot.waitUntil(lambda: window.plan_page is None, timeout=20_000)


def test_import_and_new_plan(window, qtbot):
    window.activateWindow()
    page = window.patient_page
    qtbot.waitUntil(lambda: page.chosen_course is not None, timeout=20_000)
    page.tree.setFocus()
    for key, kind in ((Qt.Key.Key_I, ImportDialog), (Qt.Key.Key_N, NewPlanDialog)):
        press(window, key, CTRL)
        qtbot.waitUntil(lambda kind=kind: page.findChild(kind) is not None, timeout=20_000)
        page.findChild(kind).reject()


def test_every_action_by_name(window, plan, qtbot):
    press(window, Qt.Key.Key_K, CTRL)
    palette = window.findChild(CommandPalette)
    QTest.keyClicks(palette.line, "panel pres")
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    assert plan._tabs.tabText(plan._tabs.currentIndex()) == "Prescription"


def test_whatever_takes_the_focus_has_a_name(plan):
    unnamed = [
        widget
        for kind in (QAbstractButton, QAbstractItemView, QComboBox, QLineEdit)
        for widget in plan.findChildren(kind)
        if widget.isVisibleTo(plan)
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not (widget.accessibleName() or (isinstance(widget, QAbstractButton) and widget.text()))
    ]
    assert unnamed == []
