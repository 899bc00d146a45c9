"""Every order of two people's steps: what only one may do at a time is done by one; taken out, the same orders lose."""

from __future__ import annotations

import itertools
import os
import shutil

import pytest
import sqlalchemy as sa

from ert.domain.record import Severity
from ert.storage import exclusive, schema
from ert.storage.maintenance import SiteCare
from tests.integration.storage import samples
from tests.integration.storage.interleaving import SIGNED, WHO, Person

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A site with a plan, a machine and nothing else going on."""
    root = samples.copied_site(tmp_path_factory.mktemp("interleaving") / "site")
    site = samples.open_site(root)
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    site.machines.add(name="LINAC 1", digest="ef" * 32, content=b"version 1")
    site.close()
    return root, plan.id


@pytest.fixture
def fresh(template, tmp_path):
    """A function that gives another copy of it each time."""
    count = itertools.count()

    def copy():
        root = tmp_path / f"site {next(count)}"
        shutil.copytree(template[0], root)
        return root

    return copy


@pytest.fixture
def people():
    """A function that lets somebody in; all leave at the end."""
    present = []

    def person(**given):
        present.append(Person(**given))
        return present[-1]

    yield person
    for one in present:
        one.leave()


def orders(first, second):
    """Every way in which two people's steps can follow one another."""
    total = len(first) + len(second)
    for places in itertools.combinations(range(total), len(first)):
        ones, others = iter(first), iter(second)
        yield [("first", next(ones)) if k in places else ("second", next(others)) for k in range(total)]


def history(root):
    """Events with what they changed, oldest first."""
    site = samples.open_site(root)
    try:
        log = site.activity
        rows = log._verified(sa.select(schema.history).order_by(schema.history.c.seq))
        return [(row["event"], log._change(row)) for row in rows]
    finally:
        site.close()


def blockers(root):
    found = SiteCare().check(root, level=4, progress=lambda _f, _t: None, **WHO)
    return [f for f in found if f.severity is Severity.BLOCKER]


def run(order, first, second):
    """Do the steps in an order; a person who was refused does the rest as far as it goes."""
    said = []
    for who, (action, *arguments) in order:
        said.append((who, action, {"first": first, "second": second}[who].do(action, *arguments)))
    return said


# ---- signing a plan against editing it ---------------------------------------------------------------------------

SIGNING = [("lock_plan",), ("look_at_plan",), ("sign_plan",), ("unlock",)]
EDITING = [("look_at_plan",), ("edit", "edited")]


def signed_what_was_newest(root) -> bool:
    newest = None
    for event, change in history(root):
        if event == "plan saved":
            newest = (newest or 0) + 1
        if event == SIGNED and change["signed"] != newest:
            return False
    return True


def sign_against_edit(fresh, plan_id, signer, editor):
    """How many orders went wrong (the first one is enough), and how often somebody was told to wait."""
    wrong = told = 0
    for order in orders(SIGNING, EDITING):
        root = fresh()
        for one in (signer, editor):
            assert one.do("open_site", str(root), plan_id)[0] == "done"
        said = run(order, signer, editor)
        told += sum(answer[0] == "refused" for _, _, answer in said)
        assert all("LockHeld: Dr. Marie Curie is signing a plan (on " in a[1] for _, _, a in said if a[0] == "refused")
        for one in (signer, editor):
            one.do("close_site")
        wrong += not signed_what_was_newest(root)
        if wrong:
            break
    return wrong, told


def test_what_is_signed_is_what_is_newest_in_every_order(fresh, template, people):
    # Of 15 orders the save falls between taking and giving back in all but those where it comes first or last.
    wrong, told = sign_against_edit(fresh, template[1], people(), people())
    assert wrong == 0
    between = sum(
        [step for _, step in order].index(("lock_plan",))
        < order.index(("second", ("edit", "edited")))
        < [step for _, step in order].index(("unlock",))
        for order in orders(SIGNING, EDITING)
    )
    assert told == between == 9


def test_without_the_fence_a_signature_names_what_is_no_longer_there(fresh, template, people):
    wrong, told = sign_against_edit(fresh, template[1], people(without=("fences",)), people(without=("fences",)))
    assert told == 0
    assert wrong > 0


def stalled(fresh, plan_id, signer, editor):
    """The signer's computer sleeps for three minutes with the lock; the editor goes on; the signer wakes."""
    root = fresh()
    signer.do("open_site", str(root), plan_id)
    editor.do("open_site", str(root), plan_id)
    first_token = int(signer.do("lock_plan")[1])
    signer.do("look_at_plan")
    second_token = int(editor.do("lock_plan")[1])
    editor.do("edit", "edited meanwhile")
    editor.do("unlock")
    woken = signer.do("sign_plan")
    signer.do("unlock")
    for one in (signer, editor):
        one.do("close_site")
    assert second_token > first_token
    return root, woken


def test_who_slept_with_the_lock_cannot_write_any_more_and_the_history_tells(fresh, template, people):
    root, woken = stalled(fresh, template[1], people(), people(late_s=180))
    assert woken[0] == "refused"
    assert woken[1].startswith("LockLost: This computer gave no sign of life for over two minutes")
    events = history(root)
    (change,) = [change for event, change in events if event == exclusive.TAKEN_OVER]
    assert change["detail"].startswith("for signing a plan; before, Dr. Marie Curie is signing a plan (on ")
    assert "last sign of life" in change["detail"]
    assert SIGNED not in [event for event, _ in events]
    assert blockers(root) == []


def test_without_the_token_who_slept_signs_over_the_edit(fresh, template, people):
    root, woken = stalled(fresh, template[1], people(without=("fences",)), people(late_s=180))
    assert woken[0] == "done"
    assert not signed_what_was_newest(root)


def test_a_lock_is_not_taken_from_somebody_who_lives(fresh, template, people):
    root = fresh()
    signer, colleague = people(), people(late_s=110)
    for one in (signer, colleague):
        one.do("open_site", str(root), template[1])
    signer.do("lock_plan")
    said = colleague.do("lock_plan")
    assert said[0] == "refused"
    assert "two minutes after its last sign of life" in said[1]


def test_who_ended_without_a_word_on_this_computer_is_not_waited_for(fresh, template, people):
    root = fresh()
    gone = Person()
    gone.do("open_site", str(root), template[1])
    gone.do("lock_plan")
    gone.leave()  # the process ends with the lock
    colleague = people()
    colleague.do("open_site", str(root), template[1])
    assert colleague.do("lock_plan")[0] == "done"


# ---- releasing a machine against changing it ---------------------------------------------------------------------

RELEASING = [("lock_machines",), ("look_at_machines",), ("release_machine",), ("unlock",)]
CHANGING = [("look_at_machines",), ("configure", "version 2")]


def release_against_change(fresh, physicist, engineer):
    wrong = told = 0
    for order in orders(RELEASING, CHANGING):
        root = fresh()
        for one in (physicist, engineer):
            one.do("open_site", str(root))
        told += sum(answer[0] == "refused" for _, _, answer in run(order, physicist, engineer))
        for one in (physicist, engineer):
            one.do("close_site")
        wrong += not released_what_was_newest(root)
        if wrong:
            break
    return wrong, told


def released_what_was_newest(root) -> bool:
    site = samples.open_site(root)
    try:
        ((entry,),) = site.releases.history()
        with site.records.database.read() as connection:
            query = sa.select(schema.history.c.event).where(
                schema.history.c.record_table.in_(("machine", "machine_release"))
            )
            events = list(connection.execute(query.order_by(schema.history.c.seq)).scalars())
    finally:
        site.close()
    before = events[: events.index("machine release saved")].count("machine added")
    return entry.value.package_digest == f"version {before}"


def test_a_release_speaks_of_the_machine_as_it_is_in_every_order(fresh, people):
    assert release_against_change(fresh, people(), people()) == (0, 9)


def test_without_the_fence_a_release_speaks_of_a_machine_that_changed(fresh, people):
    wrong, told = release_against_change(fresh, people(without=("fences",)), people(without=("fences",)))
    assert told == 0
    assert wrong > 0


# ---- clearing files away -----------------------------------------------------------------------------------------


def sweep_against_save(fresh, plan_id, cleaner, editor, *, is_saved_first):
    """A save slept for two days between files and transaction; a sweep has seen its files."""
    root = fresh()
    cleaner.do("open_site", str(root))
    editor.do("open_site", str(root), plan_id)
    assert editor.do("edit_slowly", "after a long sleep") == ("at", "files written")
    assert cleaner.do("clear_away") == ("at", "files looked at")
    if is_saved_first:
        saved, swept = editor.go_on(), cleaner.go_on()
    else:
        swept, saved = cleaner.go_on(), editor.go_on()
    for one in (cleaner, editor):
        one.do("close_site")
    return root, saved, swept


def test_a_save_that_commits_before_the_sweep_keeps_its_files(fresh, template, people):
    root, saved, swept = sweep_against_save(fresh, template[1], people(), people(), is_saved_first=True)
    assert (saved, swept) == (("done", "2"), ("done", "0"))
    assert blockers(root) == []


def test_a_save_whose_files_were_swept_is_refused(fresh, template, people):
    root, saved, swept = sweep_against_save(fresh, template[1], people(), people(), is_saved_first=False)
    assert saved[0] == "refused"
    assert "its files were cleared away; nothing was saved. Save again." in saved[1]
    assert swept[0] == "done"
    assert int(swept[1]) > 0
    assert blockers(root) == []


@pytest.mark.parametrize(("without", "is_saved_first"), [("second look", True), ("look at files", False)])
def test_without_either_look_a_saved_plan_loses_its_files(fresh, template, people, without, is_saved_first):
    cleaner, editor = people(without=(without,)), people(without=(without,))
    root, saved, _ = sweep_against_save(fresh, template[1], cleaner, editor, is_saved_first=is_saved_first)
    assert saved == ("done", "2")
    assert {f.code for f in blockers(root)} == {"CHECK-FILE"}


# ---- backup against save, and against clearing away --------------------------------------------------------------


def test_a_save_during_a_backup_is_in_neither_or_whole(fresh, template, people, tmp_path):
    root = fresh()
    keeper, editor = people(), people()
    keeper.do("open_site", str(root))
    editor.do("open_site", str(root), template[1])
    assert keeper.do("back_up", str(tmp_path / "backups")) == ("at", "database copied")
    assert editor.do("edit", "during the backup") == ("done", "2")
    assert keeper.go_on() == ("done", "good")
    SiteCare().restore(tmp_path / "backups", "", to=tmp_path / "copy", progress=lambda _f, _t: None, **WHO)
    for place, revision in ((root, 2), (tmp_path / "copy", 1)):
        site = samples.open_site(place)
        assert site.plans.load(template[1]).revision == revision
        site.close()
        assert blockers(place) == []


def sweep_during_backup(fresh, keeper, cleaner, tmp_path):
    """While a backup has its database and no files, every file is written anew and the earlier ones are old."""
    root = fresh()
    keeper.do("open_site", str(root))
    cleaner.do("open_site", str(root))
    keeper.do("back_up", str(tmp_path / "backups"))
    cleaner.do("renew_files")
    swept = cleaner.do("clear_away")
    if swept[0] == "at":
        swept = cleaner.go_on()
    return swept, keeper.go_on()


def test_files_are_not_cleared_away_while_a_backup_needs_them(fresh, people, tmp_path):
    swept, backed_up = sweep_during_backup(fresh, people(), people(), tmp_path)
    assert swept[0] == "refused"
    assert "LockHeld: Dr. Marie Curie is making a backup of the site (on " in swept[1]
    assert backed_up == ("done", "good")


def test_without_the_lock_a_backup_misses_files(fresh, people, tmp_path):
    swept, backed_up = sweep_during_backup(fresh, people(without=("lock on files",)), people(), tmp_path)
    assert swept[0] == "done"
    assert backed_up[1].startswith("incomplete")


def test_two_backups_at_once_are_each_whole(fresh, template, people, tmp_path):
    root = fresh()
    first, second, cleaner = people(), people(), people()
    for one in (first, second, cleaner):
        one.do("open_site", str(root), template[1])
    assert first.do("back_up", str(tmp_path / "here")) == ("at", "database copied")
    assert second.do("back_up", str(tmp_path / "there")) == ("at", "database copied")
    assert first.go_on() == ("done", "good")
    assert cleaner.do("clear_away")[0] == "refused"  # the second one still needs its files
    assert second.go_on() == ("done", "good")
    assert cleaner.do("clear_away") == ("at", "files looked at")
    refused = first.do("back_up", str(tmp_path / "here"))
    assert refused[0] == "refused"
    assert "is clearing away unused files (on " in refused[1]
    assert cleaner.go_on()[0] == "done"


def test_a_backup_that_ended_lets_files_be_cleared_away(fresh, people, tmp_path):
    swept, _ = sweep_during_backup(fresh, people(), cleaner := people(), tmp_path)
    assert swept[0] == "refused"
    assert cleaner.do("clear_away") == ("at", "files looked at")
    assert cleaner.go_on()[0] == "done"


# ---- what changes the whole site ---------------------------------------------------------------------------------


def save_after_upgrade(tmp_path, older):
    with pytest.MonkeyPatch.context() as patch:
        samples.as_first_version(patch)
        root = tmp_path / "site"
        samples.make_site(root)
        site = samples.open_site(root)
        plan = samples.plan_of(samples.import_one(site))
        site.plans.save(plan, base_revision=0)
        site.close()
    assert older.do("open_site", str(root), plan.id) == ("done", "None")
    samples.open_site(root).close()  # by today's program: brings it up to date
    return root, older.do("edit", "by the older program")


def test_an_older_program_cannot_save_once_the_site_was_brought_up_to_date(tmp_path, people):
    root, saved = save_after_upgrade(tmp_path, people(without=("later tables",)))
    assert saved[0] == "refused"
    assert "SchemaTooNew: This site was brought up to date by a newer version of the program" in saved[1]
    assert blockers(root) == []


def test_without_the_look_at_the_version_it_does(tmp_path, people):
    _, saved = save_after_upgrade(tmp_path, people(without=("later tables", "look at the version")))
    assert saved == ("done", "2")


@pytest.fixture
def restored(fresh, template, tmp_path):
    """A site and a restored copy of it beside it."""
    root = fresh()
    site = samples.open_site(root)
    site.start_backup(tmp_path / "backups").finish()
    site.close()
    SiteCare().restore(tmp_path / "backups", "", to=tmp_path / "copy", progress=lambda _f, _t: None, **WHO)
    return root, tmp_path / "copy"


def test_a_site_is_not_replaced_under_somebody_who_saves(restored, template, people):
    root, copy = restored
    editor, keeper = people(), people()
    editor.do("open_site", str(root), template[1])
    refused = keeper.do("activate", str(copy), str(root))
    assert refused[0] == "refused"
    assert "DatabaseBusy: Somebody has the site in" in refused[1]
    assert editor.do("edit", "still here") == ("done", "2")
    editor.do("close_site")
    assert keeper.do("activate", str(copy), str(root)) == ("at", "about to exchange")
    late = editor.do("open_site", str(root), template[1])
    assert late[0] == "refused"
    assert "DatabaseBusy: Somebody is putting a restored copy in the place of this site (on " in late[1]
    assert keeper.go_on()[0] == "done"


def test_without_the_exclusion_an_acknowledged_save_is_gone_from_the_site(restored, template, people):
    root, copy = restored
    editor, keeper = people(), people(without=("exclusion",))
    editor.do("open_site", str(root), template[1])
    assert keeper.do("activate", str(copy), str(root)) == ("at", "about to exchange")
    assert editor.do("edit", "acknowledged") == ("done", "2")
    assert keeper.go_on()[0] == "done"
    site = samples.open_site(root)
    try:
        assert site.plans.load(template[1]).revision == 1
    finally:
        site.close()


def test_keys_are_renewed_by_one_while_nobody_opens_the_site(fresh, template, people):
    root = fresh()
    first, second = people(), people()
    assert first.do("renew_keys", str(root)) == ("at", "alone")
    for action, arguments in (("open_site", (str(root), template[1])), ("renew_keys", (str(root),))):
        said = second.do(action, *arguments)
        assert said[0] == "refused"
        assert "DatabaseBusy: Somebody is renewing the data keys of this site (on " in said[1]
    assert first.go_on() == ("done", "None")
    assert second.do("open_site", str(root), template[1]) == ("done", "None")
    assert second.do("edit", "afterwards") == ("done", "2")
    second.do("close_site")
    assert blockers(root) == []
