"""Autosave, drafts after a crash, presence, conflicts and history in the window of the real program."""

from __future__ import annotations

import csv

import attrs
import pytest
from PySide6.QtWidgets import QLabel

from ert.domain.plan_difference import NOTHING
from ert.errors import DiskFull
from ert.ui.drafts_dialog import DraftsDialog
from tests.ui import real_site

WAIT_MS = 30_000


def describe(text):
    return lambda plan: attrs.evolve(plan, description=text)


def lines(tree):
    """Every line of a tree of changes: place, what, before, after."""
    branches = [tree.topLevelItem(n) for n in range(tree.topLevelItemCount())]
    return [
        (branch.text(0), *(branch.child(k).text(column) for column in range(3)))
        for branch in branches
        for k in range(branch.childCount())
    ]


def rows(table):
    return [[table.item(r, c).text() for c in range(table.columnCount())] for r in range(table.rowCount())]


@pytest.fixture
def plan_id(window):
    (row,) = window.session.patients()
    return row.courses[0].plans[0].plan_id


@pytest.fixture
def page(window, plan_id, qtbot):
    window.open_plan(plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=WAIT_MS)
    window.plan_page.keeper.autosave.is_on = False  # where a test is about it, it is switched on
    return window.plan_page


@pytest.fixture
def colleague(window):
    """A second sign-in on the same site, from another store."""
    store = real_site.gateway().open(window.session.site_path, user_name=real_site.USER, password=real_site.PASSWORD)
    yield store
    store.close()


def save_theirs(colleague, plan_id, **fields):
    stored = colleague.plans.load(plan_id)
    return colleague.plans.save(attrs.evolve(stored.plan, **fields), base_revision=stored.revision)


# ---- autosave ----------------------------------------------------------------------------------------------------


def test_an_edit_saves_itself_and_says_so(window, page, qtbot):
    page.keeper.autosave.is_on = True
    page.workspace.apply("Describe", describe("by itself"))
    qtbot.waitUntil(lambda: not page.workspace.is_dirty, timeout=WAIT_MS)
    stored = window.session.history.plan(page.workspace.plan.id)
    assert (stored.revision, stored.plan.description) == (2, "by itself")
    assert window.session.history.revisions(page.workspace.plan.id)[0].reason == "autosave"
    saved = f"Saved r2 {stored.saved_at.astimezone():%H:%M:%S}"
    qtbot.waitUntil(lambda: saved in page.title, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: saved in window.header.context.toolTip(), timeout=WAIT_MS)


def test_opening_and_closing_a_plan_saves_nothing(window, page, qtbot):
    page.keeper.autosave.is_on = True
    page.keeper._tick()
    assert not page.keeper.autosave.is_due(1e9, is_computing=False)
    assert window.session.history.plan(page.workspace.plan.id).revision == 1


def test_a_full_disk_is_told_with_the_room_left_and_tried_again(window, page, qtbot, monkeypatch):
    with monkeypatch.context() as patch:

        def full(*_args, **_kwargs):
            raise DiskFull("The disk of this site is full: nothing was saved.", hint="Free some space.")

        patch.setattr(type(window.session.store.plans), "save", full)
        page.keeper.autosave.is_on = True
        page.workspace.apply("Describe", describe("kept"))
        qtbot.waitUntil(page.not_saved.isVisible, timeout=WAIT_MS)
    text = page.not_saved.text
    assert text.startswith("NOT SAVED. The disk of this site is full")
    assert "GB are free there" in text
    assert "tried again by itself" in text
    page.keeper.autosave._not_before_s = 0.0  # the quarter of a minute is over
    qtbot.waitUntil(lambda: not page.workspace.is_dirty, timeout=WAIT_MS)
    assert not page.not_saved.isVisible()


# ---- conflict ----------------------------------------------------------------------------------------------------


@pytest.fixture
def dialog(window, page, plan_id, colleague, qtbot):
    """Both changed the description, and a colleague the name too; mine was saved second."""
    save_theirs(colleague, plan_id, description="theirs", name="Chest wall 2")
    page.workspace.apply("Describe", describe("mine"))
    page.workspace.save()
    qtbot.waitUntil(lambda: page.keeper.dialog is not None, timeout=WAIT_MS)
    return page.keeper.dialog


def test_the_stale_editor_sees_who_changed_what(dialog, page):
    assert dialog.head.text().startswith(f"{real_site.USER} saved revision 2 of 'Chest wall 2' at ")
    assert lines(dialog.theirs) == [
        ("Plan", "Name", "Chest wall", "Chest wall 2"),
        ("Plan", "Description", NOTHING, "theirs"),
    ]
    assert lines(dialog.mine) == [("Plan", "Description", NOTHING, "mine")]
    assert any("1 value was changed by both" in label.text() for label in dialog.findChildren(QLabel))
    assert dialog.theirs.topLevelItem(0).child(0).icon(0).isNull()
    assert not dialog.theirs.topLevelItem(0).child(1).icon(0).isNull()


def test_taking_theirs_can_be_undone_and_then_saved_on_top(dialog, page, window, plan_id, qtbot):
    dialog.take.click()
    workspace = page.workspace
    assert (workspace.plan.description, workspace.revision, workspace.is_dirty) == ("theirs", 2, False)
    assert workspace.save_error is None
    workspace.undo()
    assert (workspace.plan.description, workspace.plan.name, workspace.is_dirty) == ("mine", "Chest wall", True)
    workspace.save()
    qtbot.waitUntil(lambda: not workspace.is_dirty, timeout=WAIT_MS)
    assert workspace.revision == 3


def test_keeping_mine_puts_it_on_top_and_theirs_stays_in_the_history(dialog, page, window, plan_id, qtbot):
    dialog.keep.click()
    qtbot.waitUntil(lambda: page.workspace.revision == 3, timeout=WAIT_MS)
    history = window.session.history
    assert history.plan(plan_id).plan.description == "mine"
    assert history.plan(plan_id).plan.name == "Chest wall"  # nothing of theirs was mixed in
    assert history.plan(plan_id, 2).plan.description == "theirs"
    assert history.revisions(plan_id)[0].reason == f"kept on top of r2 by {real_site.USER}"


def test_deciding_later_keeps_both_as_they_are(dialog, page, window, plan_id):
    dialog.later.click()
    assert page.keeper.dialog is None
    assert page.workspace.plan.description == "mine"
    assert page.workspace.is_dirty
    assert page.not_saved.isVisible()
    assert window.session.history.plan(plan_id).revision == 2


def test_theirs_can_be_looked_at_without_changing_anything(dialog, window, page, qtbot):
    dialog.look.click()
    qtbot.waitUntil(lambda: bool(window.records.looks), timeout=WAIT_MS)
    (look,) = window.records.looks
    assert "READ-ONLY: revision 2" in look.banner.text
    assert look.workspace.plan.description == "theirs"
    look.page.beams.add_button.click()
    with pytest.raises(Exception, match="cannot be changed"):
        look.workspace.apply("Describe", describe("x"))
    assert not look.page.actions_.export.isEnabled()
    assert page.keeper.dialog is dialog
    dialog.later.click()
    look.close()
    qtbot.waitUntil(lambda: not window.records.looks, timeout=WAIT_MS)


def test_a_colleagues_save_is_noticed_before_the_own_one(window, page, plan_id, colleague, qtbot):
    save_theirs(colleague, plan_id, description="theirs")
    page.keeper.look()
    qtbot.waitUntil(lambda: "saved revision 2" in page.message.text, timeout=WAIT_MS)
    assert page.keeper.dialog is None  # nothing is edited here: nobody is interrupted
    page.actions_.newest.trigger()
    qtbot.waitUntil(lambda: page.keeper.dialog is not None, timeout=WAIT_MS)
    page.keeper.dialog.take.click()
    assert page.workspace.plan.description == "theirs"
    assert page.workspace.revision == 2


# ---- presence ----------------------------------------------------------------------------------------------------


def test_who_else_has_the_plan_open_is_shown_and_goes_with_them(window, page, plan_id, colleague, qtbot):
    colleague.people.enter(plan_id)
    page.keeper.look()
    qtbot.waitUntil(lambda: "also open" in page.title, timeout=WAIT_MS)
    assert f"also open: {real_site.USER}" in page.title
    assert "has this plan open too" in page.message.text
    colleague.people.leave(plan_id)
    page.keeper.look()
    qtbot.waitUntil(lambda: "also open" not in page.title, timeout=WAIT_MS)
    assert len(colleague.people.others(plan_id)) == 1  # this window
    window.back_to_patients()
    qtbot.waitUntil(lambda: colleague.people.others(plan_id) == (), timeout=WAIT_MS)


# ---- drafts ------------------------------------------------------------------------------------------------------


@pytest.fixture
def draft(window, plan_id, tmp_path):
    """What a program that was killed left of two edits."""
    journal = window.session.store.drafts.begin()
    plan = window.session.history.plan(plan_id).plan
    journal.keep(describe("unsaved")(plan), base_revision=1, labels=["Gantry of LAO", "Describe"])
    journal._file._lock.release()
    return plan


def offered(window, qtbot):
    window.records.set_session(window.session)
    qtbot.waitUntil(lambda: window.findChild(DraftsDialog) is not None, timeout=WAIT_MS)
    dialog = window.records.drafts
    qtbot.waitUntil(lambda: dialog.changes.topLevelItemCount() > 0, timeout=WAIT_MS)
    return dialog


def test_edits_of_a_crash_are_offered_with_their_difference_and_restored(window, draft, qtbot):
    dialog = offered(window, qtbot)
    assert dialog.about.text() == "2 edits since revision 1: Gantry of LAO, Describe"
    assert lines(dialog.changes) == [("Plan", "Description", NOTHING, "unsaved")]
    assert dialog.patient.text().startswith("DEMO, CHESTWALL   ERT-DEMO-1   born 1960-01-01")
    dialog.restore.click()
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=WAIT_MS)
    workspace = window.plan_page.workspace
    window.plan_page.keeper.autosave.is_on = False
    assert workspace.plan.description == "unsaved"
    assert workspace.is_dirty
    drafts = window.session.store.drafts
    qtbot.waitUntil(lambda: drafts.left_over().drafts == (), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: "kept here" in workspace.saved_text, timeout=WAIT_MS)
    workspace.undo()
    assert not workspace.is_dirty


def test_discarded_edits_are_gone(window, draft, qtbot):
    offered(window, qtbot).discard.click()
    drafts = window.session.store.drafts
    qtbot.waitUntil(lambda: drafts.left_over().drafts == (), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not window.records.drafts.isVisible(), timeout=WAIT_MS)


def test_restored_edits_of_an_older_revision_meet_the_newer_one(window, draft, plan_id, colleague, qtbot):
    save_theirs(colleague, plan_id, description="theirs")
    dialog = offered(window, qtbot)
    qtbot.waitUntil(lambda: "saved revision 2 since" in dialog.stale.text, timeout=WAIT_MS)
    dialog.restore.click()
    qtbot.waitUntil(
        lambda: window.plan_page is not None and window.plan_page.keeper.dialog is not None, timeout=WAIT_MS
    )
    assert lines(window.plan_page.keeper.dialog.mine) == [("Plan", "Description", NOTHING, "unsaved")]


# ---- history -----------------------------------------------------------------------------------------------------


@pytest.fixture
def history(window, page, plan_id, colleague, qtbot):
    save_theirs(colleague, plan_id, description="second")
    page.workspace.keeping.rebase(window.session.history.plan(plan_id))
    page.workspace.apply("Take", lambda _plan: window.session.history.plan(plan_id).plan)
    window.records.history_action.trigger()
    dialog = window.records.history
    qtbot.waitUntil(lambda: dialog.revisions.rowCount() == 2, timeout=WAIT_MS)
    return dialog


def test_revisions_and_their_differences_are_shown(history, qtbot):
    assert [row[0] for row in rows(history.revisions)] == ["r2", "r1"]
    qtbot.waitUntil(lambda: bool(lines(history.changes)), timeout=WAIT_MS)
    assert lines(history.changes) == [("Plan", "Description", NOTHING, "second")]
    assert not history.restore.isEnabled()  # the newest needs none


def test_a_revision_is_restored_as_the_newest_one(history, window, page, plan_id, qtbot):
    history.revisions.selectRow(1)
    assert history.chosen_revision == 1
    assert history.restore.isEnabled()
    window.records.restore(history, plan_id, 1)
    qtbot.waitUntil(lambda: "restored as revision 3" in history.message.text, timeout=WAIT_MS)
    assert page.workspace.plan.description == ""
    assert window.session.history.plan(plan_id).revision == 3
    qtbot.waitUntil(lambda: history.revisions.rowCount() == 3, timeout=WAIT_MS)
    assert rows(history.revisions)[0][4] == "restored r1"


def test_the_activity_log_is_shown_and_exported(history, tmp_path, qtbot):
    history.tabs.setCurrentIndex(1)
    assert "opened" in [row[4] for row in rows(history.activity)]
    history.export_to(tmp_path / "log.csv")
    qtbot.waitUntil(lambda: "rows were written" in history.message.text, timeout=WAIT_MS)
    with (tmp_path / "log.csv").open(encoding="utf-8", newline="") as stream:
        assert next(csv.DictReader(stream))["event"] == "activity log exported"
