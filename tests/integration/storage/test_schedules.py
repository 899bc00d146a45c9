"""Every order of several editors' steps, of a save and a sweep, of a save and a backup: 172, each with its answer known
beforehand; 9 of an approval and an edit. Those of signing and releasing are in test_interleaving.py.
"""

from __future__ import annotations

import os
import shutil

import pytest
import sqlcipher3

from ert.domain.record import PlanStatus, Severity
from ert.storage.assembly import DATABASE
from ert.storage.maintenance import SiteCare
from tests.integration.storage import samples, schedules
from tests.integration.storage.interleaving import WHO, Person

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    root = tmp_path_factory.mktemp("schedules") / "site"
    return root, schedules.prepare(root)


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


def of_editors(template, tmp_path, people, rounds):
    shutil.copytree(template[0], tmp_path / "site")
    return schedules.run(tmp_path / "site", people, rounds, template[1])


# 90 = 6! / 2!³ and 70 = 8! / 4!². Of 2 people's 6 orders of look and save, 2 let both save.
@pytest.mark.parametrize(("crowd", "orders"), [((3, 1), 90), ((2, 2), 70)])
def test_no_edit_is_lost_or_doubled_in_any_order(template, tmp_path, people, crowd, orders):
    count, rounds = crowd
    found = of_editors(template, tmp_path, [people() for _ in range(count)], rounds)
    assert found["orders"] == orders
    assert found["saves"] + found["refused"] == orders * count * rounds
    assert found["refused"] > 0
    assert schedules.is_clean(found), found


def test_the_last_one_winning_is_found(template, tmp_path, people):
    found = of_editors(template, tmp_path, [people(without=("look at revisions",)) for _ in range(2)], 1)
    assert (found["orders"], found["refused"]) == (6, 0)
    assert found["wrong_answers"] >= 4  # of the 4 orders in which somebody saves on top of what was not looked at
    assert not schedules.is_clean(found)


def steps_of(order):
    """Where each step of two people stands: {(person, step): place}."""
    return {entry: place for place, entry in enumerate(order)}


def run_two(order, people, actions):
    """Begin and go on in an order; what each was told in the end."""
    said = {}
    for who, step in order:
        if step == "begin":
            said[who] = people[who].do(*actions[who])
        elif said[who][0] == "at":  # else it was refused before it came to the gate
            said[who] = people[who].go_on()
    for one in people:
        one.do("close_site")
    return said


TWO = list(schedules.orders(("begin", "go on"), ("begin", "go on")))


def blockers(root):
    found = SiteCare().check(root, level=4, progress=lambda _f, _t: None, **WHO)
    return [f for f in found if f.severity is Severity.BLOCKER]


def test_a_sweep_takes_no_file_of_a_save_in_any_order(template, tmp_path, people):
    """A save that slept for two days is refused if the sweep came between its files and its rows, and only then."""
    editor, cleaner = people(), people()
    refused = 0
    for number, order in enumerate(TWO):
        root = tmp_path / f"site {number}"
        shutil.copytree(template[0], root)
        editor.do("open_site", str(root), template[1])
        cleaner.do("open_site", str(root))
        said = run_two(order, (editor, cleaner), (("edit_slowly", "late"), ("clear_away",)))
        at = steps_of(order)
        # It reads what rows name when it begins, and lists the files when it goes on; what rows name then is looked at.
        is_between = at[0, "begin"] < at[1, "go on"] < at[0, "go on"]
        assert said[1][0] == "done"
        assert said[0][0] == ("refused" if is_between else "done"), (order, said)
        assert blockers(root) == []
        refused += is_between
    assert (len(TWO), refused) == (6, 2)


def test_a_backup_has_a_save_whole_or_not_at_all_in_any_order(template, tmp_path, people):
    """It has the save if that was committed before the database was copied, and only then."""
    editor, keeper = people(), people()
    with_it = 0
    for number, order in enumerate(TWO):
        root, copy = tmp_path / f"site {number}", tmp_path / f"copy {number}"
        shutil.copytree(template[0], root)
        editor.do("open_site", str(root), template[1])
        keeper.do("open_site", str(root))
        said = run_two(
            order, (editor, keeper), (("edit_slowly", "meanwhile"), ("back_up", str(tmp_path / f"b{number}")))
        )
        assert said == {0: ("done", "2"), 1: ("done", "good")}
        SiteCare().restore(tmp_path / f"b{number}", "", to=copy, progress=lambda _f, _t: None, **WHO)
        at = steps_of(order)
        is_before = at[0, "go on"] < at[1, "begin"]
        site = samples.open_site(copy)
        assert site.plans.load(template[1]).revision == (2 if is_before else 1)
        site.close()
        assert blockers(copy) == []
        with_it += is_before
    assert (len(TWO), with_it) == (6, 1)


# ---- approving a plan against editing it -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def to_approve(tmp_path_factory):
    """A site with a plan that is ready, and one without the triggers that keep approved plans as they are."""
    root = samples.copied_site(tmp_path_factory.mktemp("approving") / "site")
    site = samples.open_site(root)
    plan, _ = samples.plan_to_approve(site)
    literal = site.records.guard._vault.database_key_literal()
    site.close()
    bare = shutil.copytree(root, root.with_name("bare"))
    connection = sqlcipher3.connect(str(bare / DATABASE), isolation_level=None)
    connection.execute(f'PRAGMA key = "{literal}"')
    for name in ("plan_approved_no_update", "plan_ended_no_update"):
        connection.execute(f"DROP TRIGGER {name}")
    connection.close()
    return root, bare, plan.id


def what_is_there(root, plan_id):
    """Status of the newest revision, its number, and whether an approval of it verifies."""
    site = samples.open_site(root)
    try:
        stored = site.plans.load(plan_id)
        pinned = site.approvals.pinned(stored.plan)
        return stored.status, stored.revision, pinned is not None
    finally:
        site.close()


def test_of_an_approval_and_an_edit_the_first_to_commit_wins_in_any_order(to_approve, tmp_path, people):
    """Both began with revision 1; each has its files written before the other's rows, or not."""
    approver, editor = people(), people()
    for number, order in enumerate(TWO):
        root = shutil.copytree(to_approve[0], tmp_path / f"site {number}")
        for one in (approver, editor):
            one.do("open_site", str(root), to_approve[2])
        said = run_two(order, (approver, editor), (("approve_slowly",), ("edit_slowly", "meanwhile")))
        at = steps_of(order)
        is_approved = at[0, "go on"] < at[1, "go on"]
        assert [said[0][0], said[1][0]] == (["done", "refused"] if is_approved else ["refused", "done"]), (order, said)
        refusal = said[1 if is_approved else 0][1]
        assert refusal.startswith("PlanLocked" if is_approved else "StaleRevision"), refusal
        assert what_is_there(root, to_approve[2]) == (
            (PlanStatus.APPROVED, 2, True) if is_approved else (PlanStatus.DRAFT, 2, False)
        )
        assert blockers(root) == []


LOOKING = list(schedules.orders(("approve",), ("look_at_plan", "rename")))


def approve_against_looking(to_approve, root_of, tmp_path, approver, editor):
    """Every order of an approval and of somebody who looks at the plan, then edits what is there."""
    accepted_after = 0
    for number, order in enumerate(LOOKING):
        root = shutil.copytree(to_approve[root_of], tmp_path / f"site {number}")
        for one in (approver, editor):
            one.do("open_site", str(root), to_approve[2])
        said = [
            (who, (approver, editor)[who].do(step, *(["edited"] if step == "rename" else []))) for who, step in order
        ]
        for one in (approver, editor):
            one.do("close_site")
        is_approved = any(who == 0 and answer[0] == "done" for who, answer in said)
        accepted_after += is_approved and said[-1][0] == 1 and said[-1][1][0] == "done"
    return accepted_after


def test_whoever_looks_at_an_approved_plan_cannot_edit_it_in_any_order(to_approve, tmp_path, people):
    assert len(LOOKING) == 3
    assert approve_against_looking(to_approve, 0, tmp_path, people(), people()) == 0


def test_without_the_looks_an_approved_plan_is_edited(to_approve, tmp_path, people):
    """The control: with nothing that looks at the plan's state, an edit comes through after the approval."""
    blind = people(without=("frozen plans",))
    assert approve_against_looking(to_approve, 1, tmp_path, people(), blind) > 0
