"""The machines dialog on a real site: shows what is stored, saves a version, refuses what makes no sense."""

from __future__ import annotations

import attrs
import pytest

from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.commissioning.package import read_package
from ert.domain.angle_scale import AngleScale
from ert.domain.beam_model import MeasuredRange
from ert.domain.machine_configuration import AngleRange
from ert.settings import resources_dir
from ert.ui.beam_model_table import model_row
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.machines_dialog import MachinesDialog
from tests.ui import real_site

SAVED = read_package(resources_dir() / "demo_machine" / "package")


@pytest.fixture
def session(qtbot, tmp_path):
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    opened = SiteSession.open(
        real_site.gateway(), jobs, real_site.filled_site(tmp_path / "site"),
        user_name=real_site.USER, password=real_site.PASSWORD,
    )  # fmt: skip
    yield opened
    real_site.settle(jobs, qtbot)
    opened.close()
    jobs.shutdown()


@pytest.fixture
def dialog(qtbot, session):
    made = MachinesDialog(session)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    return made


def edit(line, text):
    line.setText(text)
    line.textEdited.emit(text)


def test_it_shows_the_machine_as_stored_and_reads_it_back_unchanged(dialog):
    assert dialog.package.digest == SAVED.digest
    assert "DEMO, not for clinical use" in dialog.head.text()
    assert dialog.configuration() == SAVED.machine.configuration
    assert not dialog.is_dirty
    assert not dialog.save_button.isEnabled()
    rows = [
        [dialog.models.text(row, column) for column in range(dialog.models.columnCount())]
        for row in range(dialog.models.rowCount())
    ]
    assert [row[-1] for row in rows] == [m.digest for m in SAVED.models]
    assert [dialog.versions.text(row, 0) for row in range(dialog.versions.rowCount())] == ["0"]


def test_the_beam_models_say_what_they_were_measured_for(dialog):
    measured = MeasuredRange(depth_min_cm=0.1, depth_max_cm=6.9, incidence_max_deg=30.0)
    first, *others = SAVED.models
    known = attrs.evolve(first, validity=attrs.evolve(first.validity, measured=measured))
    plain = attrs.evolve(others[0], validity=attrs.evolve(others[0].validity, measured=None))
    assert [model_row(model)[4:8] for model in (known, plain)] == [
        ("97.5 to 115", "2", "0.1 to 6.9", "to 30°"),
        ("97.5 to 115", "2", "not stated", "not stated"),
    ]
    heads = [dialog.models.horizontalHeaderItem(n).text() for n in range(4, 8)]
    assert [head.split()[0] for head in heads] == ["SSD", "Smallest", "Depth", "Incidence"]


def test_a_changed_configuration_becomes_the_next_version(dialog, session, qtbot):
    edit(dialog.form.ranges["couch"][0], "-80")
    dialog.form.scale.setCurrentIndex(dialog.form.scale.findData(AngleScale.VARIAN_IEC))
    dialog.applicators.item(0, 2).setText("13,5")
    assert dialog.is_dirty
    assert not dialog.machines.isEnabled()  # nobody leaves changes behind unseen
    with qtbot.waitSignal(dialog.machines_changed, timeout=10_000):
        dialog.save()
    configuration = session.models.package("Demo linac").machine.configuration
    assert configuration.revision == 1
    assert configuration.scale is AngleScale.VARIAN_IEC
    assert configuration.couch == AngleRange(from_deg=-80.0, to_deg=95.0)
    assert configuration.applicator("A06").width_cm == 13.5
    assert configuration.jaws == SAVED.machine.configuration.jaws
    assert [m.digest for m in session.models.package("Demo linac").models] == [m.digest for m in SAVED.models]
    assert [dialog.versions.text(row, 0) for row in range(dialog.versions.rowCount())] == ["0", "1"]
    assert not dialog.is_dirty
    assert dialog.machines.isEnabled()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: edit(d.form.ranges["couch"][0], "99"), "no range of angles"),
        (lambda d: edit(d.form.ranges["gantry"][1], ""), "needs both angles"),
        (lambda d: edit(d.form.ranges["mu"][0], "many"), "must be a number in MU"),
        (lambda d: edit(d.form.singles["clearance"], ""), "clearance wanted is missing"),
        (lambda d: edit(d.form.singles["head_face"], ""), "radius and a face distance"),
        (lambda d: edit(d.mu_levels.numbers["action_pct"], ""), "is missing"),
        (lambda d: edit(d.mu_levels.numbers["action_pct"], "2"), "lies above the one for acting"),
        (lambda d: edit(d.mu_levels.numbers["action_pct"], "4"), "need a source of their own"),
        (lambda d: d.applicators.item(1, 3).setText(""), "all be left out"),
        (lambda d: d.applicators.item(1, 5).setText("6, 9"), "9 MeV"),
        (lambda d: d.applicators.item(1, 6).setText("maybe"), "yes or no"),
        (lambda d: d.jaws.item(0, 2).setText("10"), "no jaw opening"),
        (lambda d: d.jaws.item(0, 3).setText(""), "X2 is missing"),
        (lambda d: d.jaws.item(0, 0).setText("A99"), "A99"),
        (lambda d: d.materials.item(0, 1).setText("940"), "no density"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_saved(dialog, session, qtbot, change, words):
    change(dialog)
    dialog.save()
    qtbot.waitUntil(lambda: bool(dialog.message.text), timeout=10_000)
    assert words in dialog.message.text
    assert len(session.machines()) == 1
    assert dialog.is_dirty


def test_rows_are_added_and_removed_and_changes_can_be_discarded(dialog):
    count = dialog.materials.rowCount()
    dialog._add_row(dialog.materials)
    assert dialog.configuration() == SAVED.machine.configuration  # an empty row says nothing
    for column, text in enumerate(("steel", "7.87", "2")):
        dialog.materials.item(count, column).setText(text)
    assert dialog.configuration().block_materials[-1].name == "steel"
    dialog.materials.setCurrentCell(0, 0)
    dialog._remove_row(dialog.materials)
    assert [m.name for m in dialog.configuration().block_materials] == ["lead", "brass", "tungsten", "steel"]
    dialog.revert_button.click()
    assert dialog.configuration() == SAVED.machine.configuration
    assert not dialog.is_dirty


def test_action_levels_of_the_site_are_kept_with_whose_they_are(dialog, session, qtbot):
    edit(dialog.mu_levels.numbers["action_pct"], "4")
    edit(dialog.mu_levels.numbers["ways_investigate_pct"], "2.5")
    edit(dialog.mu_levels.source, "Department policy 12, 2026")
    with qtbot.waitSignal(dialog.machines_changed, timeout=10_000):
        dialog.save()
    levels = session.models.package("Demo linac").machine.configuration.mu_levels
    assert (levels.action_pct, levels.ways_investigate_pct, levels.investigate_pct) == (4.0, 2.5, 3.0)
    assert levels.source == "Department policy 12, 2026"
    assert session.check() == ()
    dialog.mu_levels.published_button.click()
    assert dialog.configuration().mu_levels == SAVED.machine.configuration.mu_levels


def test_closing_asks_once_while_changes_are_unsaved(dialog):
    edit(dialog.form.ranges["mu"][1], "500")
    dialog.reject()
    assert dialog.isVisible()
    assert "not saved" in dialog.message.text
    dialog.reject()
    assert not dialog.isVisible()


def test_a_package_goes_out_and_comes_in(dialog, session, qtbot, tmp_path):
    dialog.export_package(tmp_path / "out")
    qtbot.waitUntil(lambda: "Written" in dialog.message.text, timeout=10_000)
    assert read_package(tmp_path / "out").digest == SAVED.digest
    with qtbot.waitSignal(dialog.machines_changed, timeout=10_000):
        dialog.add_package(tmp_path / "out")
    assert len(session.machines()) == 1
    dialog.add_package(tmp_path)
    qtbot.waitUntil(lambda: "no machine package" in dialog.message.text, timeout=10_000)
