"""A series that is refused stands out in colour, with an icon and in words."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

from PySide6.QtGui import QColor

from ert.domain.record import Finding, Severity
from ert.ui.import_preview import PreviewTree, date_text
from ert.ui.theme import BAD


def series(uid: str, *, is_importable: bool, findings=()):
    return SimpleNamespace(
        uid=uid, description="Chest", grid=None, slices=range(40), findings=findings, is_importable=is_importable,
        patient_position="HFS",
    )  # fmt: skip


def test_a_refused_series_is_coloured_and_cannot_be_chosen(qtbot):
    tree = PreviewTree()
    qtbot.addWidget(tree)
    gap = Finding(severity=Severity.BLOCKER, code="gap", sentence="A slice is missing.")
    study = SimpleNamespace(
        date="20250102", description="CT", structure_sets=(), plans=(), doses=(),
        series=(series("1", is_importable=True), series("2", is_importable=False, findings=(gap,))),
    )  # fmt: skip
    person = SimpleNamespace(name="A^B", patient_id="1", birth_date=dt.date(1950, 1, 2))
    tree.show_preview(SimpleNamespace(patients=(SimpleNamespace(person=person, studies=(study,)),)))
    branch = tree.topLevelItem(0).child(0)
    assert branch.text(0) == "Study 2025-01-02 CT"
    good, refused = branch.child(0), branch.child(1)
    assert refused.text(1) == "cannot be imported"
    assert refused.foreground(0).color() == QColor(BAD)
    assert refused.foreground(1).color() == QColor(BAD)
    assert good.foreground(0).color() != QColor(BAD)
    assert "A slice is missing." in refused.toolTip(0)
    chosen = []
    tree.series_chosen.connect(chosen.append)
    for item in (refused, good):
        tree.itemClicked.emit(item, 0)
    assert chosen == ["1"]


def test_dicom_dates_are_written_as_dates_and_others_stay():
    assert date_text("20250102") == "2025-01-02"
    assert date_text("") == ""
    assert date_text("2025.01.02") == "2025.01.02"
