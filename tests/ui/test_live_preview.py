"""The dose that follows the hand, in the real window: what is drawn while one drags, and what may never come of it."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from ert.app.dose_state import DosePreview, DoseStatus
from ert.app.export_service import export_source
from ert.app.plan_output import plan_report, write_mu_sheets
from ert.domain.dose import plan_dose_gy
from ert.domain.plan import with_beam
from ert.errors import ExportRejected
from ert.ui.beam_eye_scene import VertexHandle
from ert.ui.beam_table import ROWS
from ert.ui.delegates import TurnedLine
from ert.ui.dose_words import preview_text
from ert.ui.slice_layers import beam_layer

LONG_MS = 240_000


def moved(plan, *, x_cm):
    """The plan with the first beam's isocentre moved."""
    beam = plan.beams[0]
    x, y, z = beam.isocentre_cm
    return with_beam(plan, attrs.evolve(beam, isocentre_cm=(x + x_cm, y, z)))


def is_live(page) -> bool:
    preview = page.workspace.dose.preview
    return preview is not None and preview.is_live


def shown_outline(page):
    preview = page.workspace.dose.preview
    return None if preview is None else preview.sketched_beams[0].aperture.outline_cm


def grab_handle(page):
    eye = page.views.beam_eye
    handle = max((i for i in eye.scene().items() if isinstance(i, VertexHandle)), key=lambda i: i.pos().x())
    return eye, eye.mapFromScene(handle.pos())


def press_and_move(qtbot, eye, at: QPoint, by: QPoint) -> QPoint:
    qtbot.mousePress(eye.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseMove(eye.viewport(), at + by)
    return at + by


def test_a_dragged_point_is_followed_by_a_preview_of_exactly_that_outline(page, qtbot, tmp_path):
    workspace = page.workspace
    plan_before, kept_before = workspace.plan, dict(workspace._dose_service.memory._kept)
    eye, at = grab_handle(page)
    at = press_and_move(qtbot, eye, at, QPoint(-6, 2))
    qtbot.waitUntil(lambda: is_live(page) and shown_outline(page) == tuple(eye.outline_cm), timeout=LONG_MS)
    assert workspace.plan == plan_before, "a drag changes nothing before it is finished"
    assert shown_outline(page) != plan_before.beams[0].aperture.outline_cm
    assert dict(workspace._dose_service.memory._kept) == kept_before, "what is sketched is kept nowhere"
    assert workspace.dvhs == workspace.shown_dvhs == ()
    assert workspace.mu_checks == ()
    assert workspace.beam_dose(plan_before.beams[0].number) is not None, "the plan's own dose is still known"
    assert page.dose_bar.final.isHidden()
    drawn = beam_layer(workspace, page.views.slices[2].geometry_, page.views.slices[2].slice_index)
    assert [lines.name for lines in drawn] == ["Beam 1"]
    for leave in (
        lambda: plan_report(workspace, ()),
        lambda: write_mu_sheets(workspace, tmp_path / "mu.pdf"),
        lambda: export_source(page.session, workspace),
    ):
        with pytest.raises(ExportRejected):
            leave()
    assert any(f.code == "dose-preview" for f in workspace.findings), "a plan check stops it"
    qtbot.mouseRelease(eye.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.waitUntil(lambda: workspace.plan.beams[0].aperture.outline_cm == tuple(eye.outline_cm), timeout=LONG_MS)
    qtbot.waitUntil(lambda: workspace.dose.is_current, timeout=LONG_MS)
    assert workspace.dose.preview is None


def test_the_newest_sketch_wins_and_none_is_left_when_it_is_given_up(page, qtbot):
    workspace = page.workspace
    shown = []
    workspace.subscribe(lambda _c: shown.append(workspace.dose))
    for step in range(1, 9):
        workspace.sketch(lambda plan, step=step: moved(plan, x_cm=0.05 * step))
    wanted = workspace.tools.with_ssd(moved(workspace.plan, x_cm=0.4)).beams[0]
    qtbot.waitUntil(lambda: is_live(page) and shown_x(page) == wanted.isocentre_cm[0], timeout=LONG_MS)
    drawn = [dose for dose in shown if dose.preview is not None]
    assert len({id(dose.preview) for dose in drawn}) < 8, "sketches in between are left out"
    workspace.end_sketch()
    assert workspace.dose.is_current, "the plan's own dose is shown again, at once"
    qtbot.wait(1)
    assert not is_live(page)


def shown_x(page) -> float:
    return page.workspace.dose.preview.sketched_beams[0].isocentre_cm[0]


def test_the_preview_is_the_pencil_beams_dose_of_the_sketch(page, qtbot):
    workspace = page.workspace
    workspace.sketch(lambda plan: moved(plan, x_cm=0.5))
    qtbot.waitUntil(lambda: is_live(page), timeout=LONG_MS)
    preview = workspace.dose.preview
    workspace.apply("Move", lambda plan: moved(plan, x_cm=0.5))
    qtbot.waitUntil(lambda: workspace.dose.is_current, timeout=LONG_MS)
    own = workspace.dose
    assert preview.engine.startswith("pencil-beam")
    if not preview.is_coarse:
        whole = plan_dose_gy(list(workspace._follower.results), [b.mu for b in workspace.plan.beams], 25)
        assert np.array_equal(preview.preview_gy, whole)
    assert float(preview.preview_gy.max()) == pytest.approx(own.max_gy, rel=0.05)


def test_a_finished_edit_keeps_only_a_preview_of_itself(page, qtbot):
    workspace = page.workspace
    workspace.sketch(lambda plan: moved(plan, x_cm=0.3))
    qtbot.waitUntil(lambda: is_live(page), timeout=LONG_MS)
    workspace.apply("Move", lambda plan: moved(plan, x_cm=0.3))
    assert workspace.dose.status is DoseStatus.PREVIEW, "of this very plan, until its own dose is there"
    qtbot.waitUntil(lambda: workspace.dose.is_current, timeout=LONG_MS)
    workspace.sketch(lambda plan: moved(plan, x_cm=0.3))
    qtbot.waitUntil(lambda: is_live(page), timeout=LONG_MS)
    workspace.apply("Move", lambda plan: moved(plan, x_cm=0.7))
    assert not is_live(page), "of another plan: never on the screen"
    qtbot.waitUntil(lambda: workspace.dose.is_current, timeout=LONG_MS)


def test_a_sketch_that_cannot_be_computed_says_why_and_shows_no_dose(page, qtbot):
    workspace = page.workspace
    workspace.sketch(lambda plan: moved(plan, x_cm=80.0))
    qtbot.waitUntil(lambda: workspace.dose.status is DoseStatus.FAILED, timeout=LONG_MS)
    assert workspace.dose.picture is None
    assert workspace.dose.message
    workspace.end_sketch()
    assert workspace.dose.is_current


def test_an_aperture_pulled_beyond_its_applicator_is_refused_in_words_and_no_job_fails(page, qtbot, caplog):
    workspace = page.workspace

    def far_out(plan):
        beam = plan.beams[0]
        outline = ((125.0, 0.0), *beam.aperture.outline_cm[1:])
        return with_beam(plan, attrs.evolve(beam, aperture=attrs.evolve(beam.aperture, outline_cm=outline)))

    workspace.sketch(far_out)
    qtbot.waitUntil(lambda: workspace.dose.status is DoseStatus.FAILED, timeout=LONG_MS)
    assert "125.00 cm from the axis" in workspace.dose.message
    assert workspace.dose.picture is None
    assert not [r for r in caplog.records if "job failed" in r.getMessage()]
    workspace.sketch(lambda plan: moved(plan, x_cm=0.2))
    qtbot.waitUntil(lambda: is_live(page), timeout=LONG_MS)
    workspace.end_sketch()


def test_one_slice_follows_at_once_the_others_in_turn_and_all_lose_a_picture_together(page, qtbot, monkeypatch):
    drawn = []
    for axis, view in page.views.slices.items():
        for refresh in ("refresh", "refresh_picture"):
            monkeypatch.setattr(view, refresh, lambda axis=axis: drawn.append(axis))
    for _ in range(5):
        page.views.refresh_picture()
    assert drawn == [2] * 5
    qtbot.waitUntil(lambda: len(drawn) == 7, timeout=LONG_MS)
    assert sorted(drawn[5:]) == [0, 1], "each once, however many pictures came meanwhile"
    page.views.refresh_picture()
    page.views.refresh_dose()
    assert drawn[7:] == [2, 2, 1, 0]
    qtbot.wait(300)
    assert len(drawn) == 11, "nothing is left to catch up with"


def test_a_number_that_is_turned_is_followed_and_escape_takes_it_back(page, qtbot):
    table = page.beams.table
    row = next(n for n, r in enumerate(ROWS) if r.field == "gantry_deg")
    index = page.beams.model.index(row, 0)
    gantry_deg = page.workspace.plan.beams[0].gantry_deg
    table.setCurrentIndex(index)
    table.edit(index)
    line = next(w for w in table.findChildren(TurnedLine) if w.isVisible())
    qtbot.keyClick(line, Qt.Key.Key_Up)
    qtbot.keyClick(line, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: is_live(page), timeout=LONG_MS)
    qtbot.waitUntil(lambda: shown_gantry(page) == pytest.approx(round(gantry_deg, 1) + 2.0), timeout=LONG_MS)
    assert page.workspace.plan.beams[0].gantry_deg == gantry_deg
    qtbot.keyClick(line, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: page.workspace.dose.is_current, timeout=LONG_MS)
    assert page.workspace.plan.beams[0].gantry_deg == gantry_deg
    table.edit(index)
    line = next(w for w in table.findChildren(TurnedLine) if w.isVisible())
    line.turn(3)
    qtbot.keyClick(line, Qt.Key.Key_Return)
    wanted_deg = pytest.approx(round(gantry_deg, 1) + 3.0)
    qtbot.waitUntil(lambda: page.workspace.plan.beams[0].gantry_deg == wanted_deg, timeout=LONG_MS)
    qtbot.waitUntil(lambda: page.workspace.dose.is_current, timeout=LONG_MS)


def shown_gantry(page) -> float:
    return page.workspace.dose.preview.sketched_beams[0].gantry_deg


def test_a_live_preview_is_named_on_every_view_and_has_no_field_of_a_dose(page, qtbot):
    workspace = page.workspace
    workspace.sketch(lambda plan: moved(plan, x_cm=0.2))
    qtbot.waitUntil(lambda: is_live(page), timeout=LONG_MS)
    preview = workspace.dose.preview
    for is_short in (True, False):
        text = preview_text(preview, is_short=is_short)
        assert "PREVIEW" in text
        assert "not for reporting" in text
    assert "grid 5.0 mm" in preview_text(
        attrs.evolve(preview, is_coarse=True, grid=attrs.evolve(preview.grid, spacing_cm=(0.5, 0.5, 0.5))),
        is_short=True,
    )
    names = {field.name for field in attrs.fields(DosePreview)}
    assert not names & {"gy", "plan_gy", "mu", "gy_per_mu", "request_digest", "max_gy", "beams"}
    workspace.end_sketch()


def test_what_is_only_looked_at_is_not_sketched(page, qtbot):
    workspace = page.workspace
    workspace.is_read_only = True
    try:
        workspace.sketch(lambda plan: moved(plan, x_cm=0.2))
        assert workspace.dose.is_current
    finally:
        workspace.is_read_only = False
