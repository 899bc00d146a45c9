"""Text from files or the keyboard stands on screen as it is: markup in a name is not rendered."""

from __future__ import annotations

import ast
import datetime as dt
from pathlib import Path

import attrs
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QToolTip

from ert.domain.patient import Patient
from ert.domain.record import Finding, Severity
from ert.ui.dialogs import FindingsDialog, ask_unsaved
from ert.ui.dose_bar import DoseBar
from ert.ui.page_header import ElidedLabel, PageHeader
from ert.ui.plots import DvhPlot
from ert.ui.view_state import ViewState
from ert.ui.widgets import MessageStrip, plain_tip
from tests.ui.fakes import FakeWorkspace

NAME = "<b>A</b>"
UI = Path(__file__).resolve().parents[2] / "ert" / "ui"


def is_literal(label: QLabel) -> bool:
    return label.textFormat() == Qt.TextFormat.PlainText


def test_the_patients_name_is_literal(qtbot):
    header = PageHeader(site_text=NAME, user_name=NAME, is_demo=False)
    qtbot.addWidget(header)
    header.show_patient(
        Patient(medical_record_number=NAME, family_name=NAME, birth_date=dt.date(1950, 1, 2)), context=NAME
    )
    assert header.name.text() == NAME
    assert all(is_literal(label) for label in header.findChildren(QLabel))
    wide = header.name.sizeHint().width()
    header.name.setText("A")
    assert wide > 3 * header.name.sizeHint().width()  # the tags take room: they are drawn


@pytest.mark.parametrize("make", [MessageStrip, ElidedLabel, lambda: DoseBar(FakeWorkspace(), ViewState())])
def test_strips_and_bars_are_literal(qtbot, make):
    widget = make()
    qtbot.addWidget(widget)
    labels = [widget] if isinstance(widget, QLabel) else widget.findChildren(QLabel)
    assert labels
    assert all(is_literal(label) for label in labels if label.inherits("QLabel"))


def test_questions_and_findings_are_literal(qtbot):
    seen = []

    def answer() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        seen.append((box.text(), box.textFormat()))
        box.reject()

    from PySide6.QtCore import QTimer

    QTimer.singleShot(50, answer)
    ask_unsaved(None, NAME)  # type: ignore[arg-type]
    assert seen == [(f"Plan '{NAME}' has changes that are not saved.", Qt.TextFormat.PlainText)]
    dialog = FindingsDialog("Check", NAME, [Finding(severity=Severity.NOTE, code="x", sentence=NAME)])
    qtbot.addWidget(dialog)
    assert all(is_literal(label) for label in dialog.findChildren(QLabel))


def test_tool_tips_keep_what_looks_like_markup():
    assert plain_tip("Dose up to date") == "Dose up to date"
    tip = plain_tip(f"{NAME}\n&lt;")
    assert tip == "<qt>&lt;b&gt;A&lt;/b&gt;<br>&amp;lt;</qt>"
    label = ElidedLabel(NAME)
    assert label.toolTip() == f"<qt>{tip[4:].split('<br>')[0]}</qt>"
    assert QToolTip.text() == ""


def test_the_legend_of_histograms_is_literal(qtbot):
    workspace = FakeWorkspace()
    plot = DvhPlot()
    qtbot.addWidget(plot)
    plot.resize(420, 300)
    plot.show()
    dvhs = [attrs.evolve(workspace.dvhs[0], name=NAME), *workspace.dvhs[1:]]
    plot.show_dvhs(dvhs, prescribed_gy=50.0, is_absolute=True, hidden=frozenset())
    qtbot.wait(10)
    assert list(plot.legend.names) == [d.name for d in dvhs]


def test_labels_of_data_are_made_in_one_place():
    """Qt decides by itself whether a bare QLabel's text is markup, so bare ones hold none of our data."""
    bare = []
    for path in sorted(UI.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "QLabel":
                bare.append(path.name)
    assert bare == ["dialogs.py", "widgets.py"]  # the licence text, and `text_label` itself
