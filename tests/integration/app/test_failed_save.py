"""A save that fails is told with its reason, keeps every edit, and a later save may succeed."""

import attrs
import pytest

from ert.app.jobs import JobContext
from ert.app.session import SiteSession
from ert.errors import Cancelled, DiskFull, InvalidPlan, StaleRevision
from tests.integration.app.conftest import PASSWORD, USER, Owner


def describe(text):
    return lambda plan: attrs.evolve(plan, description=text)


@pytest.fixture
def colleague(gateway, site_path, session):
    """A second session on the same site, with the same plan open."""
    other = Owner()
    theirs = SiteSession.open(gateway, other.jobs, site_path, user_name=USER, password=PASSWORD)
    (row,) = theirs.patients()
    opened = theirs.open_plan(row.courses[0].plans[0].plan_id)
    yield opened, other
    opened.close()
    theirs.close()
    other.jobs.shutdown()


def save(workspace, owner):
    answers = []
    workspace.save(lambda: answers.append(None), answers.append)
    owner.until(lambda: answers)
    return answers[0]


def test_a_colleagues_revision_in_between_is_told_and_nothing_is_lost(workspace, owner, colleague):
    theirs, other = colleague
    theirs.apply("Describe", describe("theirs"))
    assert save(theirs, other) is None
    workspace.apply("Describe", describe("mine"))
    told = []
    workspace.subscribe(lambda changes: told.append(workspace.save_error) if changes.saved else None)
    error = save(workspace, owner)
    assert isinstance(error, StaleRevision)
    assert "revision 2" in str(error)
    assert "save yours as a new plan" in str(error)
    assert workspace.save_error is error
    assert told[-1] is error
    assert workspace.saved_text.startswith("NOT SAVED")
    assert workspace.is_dirty
    assert workspace.plan.description == "mine"


def test_the_edits_can_be_saved_as_a_plan_of_their_own(session, workspace, owner, beam):
    workspace.apply("Describe", describe("mine"))
    with pytest.raises(InvalidPlan, match="named 'Plan 1' already"):
        session.save_as_new(workspace.plan, "Plan 1")
    stored = session.save_as_new(workspace.plan, "Plan 1 copy")
    assert stored.revision == 1
    assert (stored.plan.name, stored.plan.description) == ("Plan 1 copy", "mine")
    (row,) = session.patients()
    heads = {h.name: h for h in row.courses[0].plans}
    assert set(heads) == {"Plan 1", "Plan 1 copy"}
    assert heads["Plan 1"].revision == 1
    again = session.open_plan(stored.plan.id)
    assert again.plan == stored.plan
    again.close()


def test_a_later_save_clears_the_failure(session, workspace, owner, monkeypatch):
    workspace.apply("Describe", describe("mine"))

    def full(*_args, **_kwargs):
        raise DiskFull("There is no room left where the site is stored.", hint="Make room, then save again.")

    with monkeypatch.context() as patch:
        patch.setattr(type(session.store.plans), "save", full)
        assert isinstance(save(workspace, owner), DiskFull)
    assert workspace.is_dirty
    assert save(workspace, owner) is None
    assert workspace.save_error is None
    assert workspace.saved_text.startswith("Saved r2")
    assert not workspace.is_dirty


def test_a_check_of_the_site_says_how_far_it_is_and_can_be_stopped(session):
    steps = []
    assert session.check(ctx=JobContext(lambda fraction, text: steps.append((fraction, text)))) == ()
    assert steps[0] == (0.0, "Checking the database")
    stopped = JobContext()
    stopped.cancel()
    with pytest.raises(Cancelled):
        session.check(ctx=stopped)
