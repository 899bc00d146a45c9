"""Screens of tissue: curve editor, material library, overrides, what the dose is stated to."""

from __future__ import annotations

import attrs
import pytest
from PySide6.QtCore import QModelIndex, Qt

from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.domain.ct_curve import ProblemLevel
from ert.domain.image import Material
from ert.domain.materials import default_ct_curve, material_library, material_named
from ert.domain.overrides import with_override
from ert.domain.plan import DoseTo
from ert.domain.tissue import MetalFound, OverrideOverlap, OverrideVolume, TissueReview
from ert.ui.curve_dialog import CurvesDialog
from ert.ui.curve_model import CurveTableModel
from ert.ui.dose_bar import DoseBar
from ert.ui.goal_panel import GoalPanel
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.material_dialog import MaterialsDialog
from ert.ui.override_panel import OverridePanel
from ert.ui.plots import CurvePlot, DvhPlot
from ert.ui.prescription_panel import PrescriptionPanel
from ert.ui.probe import probe_text
from ert.ui.sections import Sections
from ert.ui.slice_layers import override_legend
from ert.ui.slice_view import SliceView
from ert.ui.structure_panel import StructurePanel
from ert.ui.view_state import ViewState
from tests.ui import real_site
from tests.ui.fakes import BODY, LUNG, TARGET, FakeWorkspace

POINTS = default_ct_curve().points


@pytest.fixture
def session(tmp_path, qapp, qtbot):
    path = tmp_path / "site"
    real_site.make_empty_site(path)
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    opened = SiteSession.open(real_site.gateway(), jobs, path, user_name=real_site.USER, password=real_site.PASSWORD)
    yield opened
    real_site.settle(jobs, qtbot)
    opened.close()
    jobs.shutdown()


@pytest.fixture
def workspace(qapp):
    return FakeWorkspace()


# ---- the table of points -----------------------------------------------------------------------------------------


@pytest.fixture
def model(qapp):
    made = CurveTableModel(default_ct_curve())
    made.set_points(POINTS, is_open=True)
    return made


def test_a_number_is_taken_and_drawn_at_once(model, qtbot):
    plot = CurvePlot()
    qtbot.addWidget(plot)
    with qtbot.waitSignal(model.edited):
        assert model.setData(model.index(3, 1), "0,951")  # a comma is understood
    assert model.points()[3].density_g_cm3 == 0.951
    assert model.problems == ()
    plot.show_curve(model.readable_points(), POINTS)
    assert plot.drawn_points() == len(POINTS)


@pytest.mark.parametrize(("text", "part"), [("abc", "must be a number"), ("", "must be a number"), ("-1", "above 0")])
def test_what_is_no_value_is_refused_at_its_cell(model, text, part):
    model.setData(model.index(3, 1), text)
    index = model.index(3, 1)
    (problem,) = model.problems_at(3, 1)
    assert problem.level is ProblemLevel.REFUSED
    assert part in model.data(index, Qt.ItemDataRole.ToolTipRole)
    assert model.data(index, Qt.ItemDataRole.BackgroundRole) is not None
    assert model.data(index) == text  # what was typed stays
    assert model.data(model.index(2, 1), Qt.ItemDataRole.BackgroundRole) is None


def test_a_suspicious_cell_has_another_colour_than_a_refused_one(model):
    model.setData(model.index(7, 3), "1.55")  # spongiosa's scattering, 25 % above the default curve
    suspicious = model.data(model.index(7, 3), Qt.ItemDataRole.BackgroundRole)
    model.setData(model.index(7, 3), "0")
    refused = model.data(model.index(7, 3), Qt.ItemDataRole.BackgroundRole)
    assert suspicious is not None
    assert refused is not None
    assert suspicious != refused


def test_points_are_added_between_and_removed(model):
    model.add_row(4)
    assert [p.hu for p in model.points()][4:7] == [0.0, 21.0, 42.0]
    assert model.problems == ()
    model.remove_row(5)
    assert model.points() == POINTS
    model.set_points(POINTS, is_open=False)
    assert not model.flags(model.index(0, 0)) & Qt.ItemFlag.ItemIsEditable
    assert not model.setData(model.index(3, 1), "0.96")


# ---- the curves of the site --------------------------------------------------------------------------------------


def test_a_curve_is_made_refused_corrected_stored_and_gets_a_version(session, qtbot, tmp_path):
    dialog = CurvesDialog(session)
    qtbot.addWidget(dialog)
    editor = dialog.editor
    editor.name.setText("Room 2")
    dialog.submit()
    assert "needs the scanner" in dialog.message.text
    editor.scanner.setText("Big bore")
    editor.model.setData(editor.model.index(3, 2), "95.8")
    dialog.submit()
    assert dialog.message.text
    assert editor.table.currentIndex().column() == 2  # the refused cell is chosen
    assert session.library.curves == ()
    editor.model.setData(editor.model.index(3, 2), "0.958")
    with qtbot.waitSignal(dialog.library_changed):
        dialog.submit()
    (entry,) = session.library.curves
    assert (entry.revision, entry.value.author, entry.value.curve.points) == (1, real_site.USER, POINTS)
    assert editor.name.isReadOnly()
    dialog.submit()
    assert "Nothing was changed" in dialog.message.text
    out = tmp_path / "points.csv"
    editor.export_points(out)
    out.write_text(out.read_text(encoding="utf-8").replace("1146,1.85,", "1146,1.86,"), encoding="utf-8")
    editor.import_points(out)
    with qtbot.waitSignal(dialog.library_changed):
        dialog.submit()
    assert [e.revision for e in session.library.curve_history(entry.value.id)] == [2, 1]
    editor.version.setCurrentIndex(1)
    editor.version.activated.emit(1)
    assert not dialog.save.isEnabled()
    assert editor.model.points() == POINTS
    editor.version.setCurrentIndex(0)
    editor.version.activated.emit(0)
    with qtbot.waitSignal(dialog.library_changed):
        dialog.withdraw_chosen("new tube")
    assert session.library.curves_in_use == ()
    assert "withdrawn" in dialog.list.item(0).text()


def test_edits_are_not_dropped_silently(session, qtbot, monkeypatch):
    from PySide6.QtWidgets import QMessageBox

    dialog = CurvesDialog(session)
    qtbot.addWidget(dialog)
    asked = []

    def answer(button):
        def question(*_args):
            asked.append(button)
            return button

        return question

    dialog.open()
    dialog.editor.model.setData(dialog.editor.model.index(3, 2), "0.96")
    monkeypatch.setattr(QMessageBox, "question", answer(QMessageBox.StandardButton.Cancel))
    dialog.reject()
    assert dialog.isVisible()
    monkeypatch.setattr(QMessageBox, "question", answer(QMessageBox.StandardButton.Discard))
    dialog.reject()
    assert not dialog.isVisible()
    assert len(asked) == 2


def test_a_file_that_is_no_curve_is_refused_in_the_dialog(session, qtbot, tmp_path):
    dialog = CurvesDialog(session)
    qtbot.addWidget(dialog)
    (tmp_path / "x.csv").write_text("HU\n1\n", encoding="utf-8")
    dialog.editor.import_points(tmp_path / "x.csv")
    assert "lacks the column" in dialog.message.text
    assert dialog.editor.model.points() == POINTS


# ---- materials ---------------------------------------------------------------------------------------------------


def test_a_site_material_is_refused_stored_and_withdrawn(session, qtbot):
    dialog = MaterialsDialog(session)
    qtbot.addWidget(dialog)
    assert dialog.model.rowCount() == len(material_library())
    dialog.name.setText("PLA 20 %")
    for edit, value in ((dialog.density, 0.31), (dialog.stopping, 29.6), (dialog.scattering, 0.285)):
        edit.set_value(value)
    dialog.submit()
    assert "stopping" in dialog.message.text
    dialog.stopping.set_value(0.296)
    with qtbot.waitSignal(dialog.library_changed):
        dialog.submit()
    assert session.library.material_choices()[-1] == Material(
        name="PLA 20 %", density_g_cm3=0.31, relative_stopping=0.296, relative_scattering=0.285
    )
    with qtbot.waitSignal(dialog.library_changed):
        dialog.withdraw_chosen("used up")
    assert len(session.library.material_choices()) == len(material_library())


# ---- overrides ---------------------------------------------------------------------------------------------------


def order(workspace):
    return [(o.structure_number, o.material.name) for o in workspace.plan.overrides]


def test_assign_order_and_remove_are_edits_that_undo_takes_back(workspace, qtbot):
    panel = OverridePanel(workspace, ViewState())
    qtbot.addWidget(panel)
    numbers = [panel.structure.itemData(n) for n in range(panel.structure.count())]
    assert numbers[-1] == BODY  # the whole patient is no likely choice
    for structure, material in ((LUNG, "lung"), (TARGET, "soft tissue")):
        panel.structure.setCurrentIndex(panel.structure.findData(structure))
        panel.material.setCurrentText(material)
        panel.assign.click()
    assert order(workspace) == [(LUNG, "lung"), (TARGET, "soft tissue")]
    panel.earlier.click()
    assert order(workspace) == [(TARGET, "soft tissue"), (LUNG, "lung")]
    assert panel.model.setData(panel.model.index(1, 2, QModelIndex()), "water")
    assert order(workspace)[1] == (LUNG, "water")
    panel.refresh()
    panel.table.selectRow(0)
    panel.remove.click()
    assert order(workspace) == [(LUNG, "water")]
    assert len(workspace.applied) == 5
    for _ in range(5):
        workspace.undo()
    assert order(workspace) == []
    panel.refresh()
    assert panel.model.rowCount() == 0


def test_overlaps_and_metal_are_listed_and_lead_to_their_place(workspace, qtbot):
    workspace.apply("a", lambda p: with_override(p, LUNG, material_named("lung")))
    workspace.apply("b", lambda p: with_override(p, TARGET, material_named("wax")))
    workspace.tissue_reviews.review = TissueReview(
        volumes=(OverrideVolume(structure_number=LUNG, volume_cc=30, outside_cc=0, effective_cc=28.77),),
        overlaps=(OverrideOverlap(loser_number=LUNG, winner_number=TARGET, volume_cc=1.23, point_cm=(1, 2, 3)),),
        metal=MetalFound(volume_cc=0.4, point_cm=(4, 5, 6)),
    )
    state = ViewState()
    panel = OverridePanel(workspace, state)
    qtbot.addWidget(panel)
    texts = [panel.overlaps.item(n).text() for n in range(panel.overlaps.count())]
    winner = workspace.structures.structure(TARGET).name
    assert f"1.23 cm³, {winner} wins" in texts[0]
    assert "0.40 cm³" in texts[1]
    panel.overlaps.itemClicked.emit(panel.overlaps.item(1))
    assert state.crosshair_cm == (4, 5, 6)
    assert panel.model.data(panel.model.index(0, 4)) == "28.77"
    assert panel.model.data(panel.model.index(1, 4)) == "…"


def test_views_and_table_name_overridden_structures(workspace, qtbot):
    state = ViewState((4.5, -8.0, 0.0))
    view = SliceView(workspace, state, 2)
    qtbot.addWidget(view)
    view.resize(500, 420)
    sections = Sections(workspace.image, workspace.structures)
    assert override_legend(workspace, sections, view.geometry_, view.slice_index) == []
    plain = view.grab().toImage()
    workspace.apply("a", lambda p: with_override(p, TARGET, material_named("wax")))
    (entry,) = override_legend(workspace, sections, view.geometry_, view.slice_index)
    target = workspace.structures.structure(TARGET)
    assert entry == (target.colour, f"{target.name} = wax, 0.92 g/cm³")
    view.refresh()
    assert view.grab().toImage() != plain
    assert override_legend(workspace, sections, view.geometry_, 0) == []  # not on this slice
    panel = StructurePanel(workspace, state)
    qtbot.addWidget(panel)
    row = [s.number for s in panel.model.structures].index(TARGET)
    assert str(panel.model.data(panel.model.index(row, 2))).endswith("= wax")


def test_the_probe_tells_the_density_that_the_dose_uses(workspace):
    sections = Sections(workspace.image, workspace.structures)
    inside, outside = (4.5, -8.0, 0.0), (-15.3, -11.0, 0.0)
    assert "outside external: air" in probe_text(workspace, sections, outside)
    assert "0.0012 g/cm³" in probe_text(workspace, sections, outside)
    workspace.apply("a", lambda p: with_override(p, BODY, material_named("PMMA")))
    workspace.apply("b", lambda p: with_override(p, TARGET, material_named("lead")))
    assert "11.350 g/cm³ (lead)" in probe_text(workspace, sections, inside)
    workspace.apply("c", lambda p: attrs.evolve(p, overrides=p.overrides[::-1]))
    assert "1.190 g/cm³ (PMMA)" in probe_text(workspace, sections, inside)


# ---- what the dose is stated to, which curve ---------------------------------------------------------------------


@pytest.mark.parametrize("medium", list(DoseTo))
def test_every_place_that_shows_dose_says_to_what(workspace, qtbot, medium):
    workspace.apply("medium", lambda p: attrs.evolve(p, dose_to=medium))
    expected = f"dose to {medium.value.lower()}"
    bar = DoseBar(workspace, ViewState())
    panel = GoalPanel(workspace)
    plot = DvhPlot()
    for widget in (bar, panel, plot):
        qtbot.addWidget(widget)
    assert bar.medium.text() == expected
    assert expected in panel.title.text()
    plot.show_dvhs(
        workspace.dvhs, prescribed_gy=50, is_absolute=True, hidden=frozenset(), dose_name=expected.capitalize()
    )
    assert expected.capitalize() in plot._plot.getAxis("bottom").labelText
    sections = Sections(workspace.image, workspace.structures)
    assert expected in probe_text(workspace, sections, (4.5, -8.0, 0.0))


def test_the_plans_own_curve_stays_in_the_list_and_another_can_be_chosen(workspace, qtbot):
    panel = PrescriptionPanel(workspace, ViewState())
    qtbot.addWidget(panel)
    own = workspace.plan.ct_curve
    assert panel.curve.currentData() == own
    assert "unknown" in panel.curve.currentText()
    assert own.digest[:8] in panel.curve_state.text()
    at = panel.curve.count() - 1  # the default curve is the last
    panel.curve.setCurrentIndex(at)
    panel.curve.activated.emit(at)
    assert workspace.plan.ct_curve == default_ct_curve()
    assert panel.curve.count() == 1
    workspace.undo()
    panel.refresh()
    assert panel.curve.currentData() == own
