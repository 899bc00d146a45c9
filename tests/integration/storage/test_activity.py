"""The history for its readers: verified rows in words, revisions with their reasons, a log that no spreadsheet runs."""

from __future__ import annotations

import csv
import io

import attrs
import pytest

from ert.app.plan_history import PlanHistory, activity_csv
from ert.app.tissue_library import directly
from ert.errors import AuditBroken, Refused
from ert.storage import schema
from tests.integration.storage import samples


@pytest.fixture
def site(tmp_path):
    opened = samples.open_site(samples.copied_site(tmp_path / "site"))
    yield opened
    opened.close()


@pytest.fixture
def plan(site):
    """A plan with three revisions, the second saved by itself."""
    first = samples.plan_of(samples.import_one(site))
    site.plans.save(first, base_revision=0)
    site.plans.save(attrs.evolve(first, description="second"), base_revision=1, reason="autosave")
    beam = attrs.evolve(first.beams[0], energy_mev=9.0)
    site.plans.save(attrs.evolve(first, beams=(beam,)), base_revision=2)
    return first


@pytest.fixture
def history(site):
    return PlanHistory(site, directly)


def test_revisions_are_listed_with_who_where_and_why(history, plan):
    newest, second, first = history.revisions(plan.id)
    assert [newest.revision, second.revision, first.revision] == [3, 2, 1]
    assert [newest.reason, second.reason, first.reason] == ["", "autosave", ""]
    assert {r.saved_by for r in (newest, second, first)} == {samples.LOGIN}
    assert newest.host
    assert first.saved_at <= second.saved_at <= newest.saved_at


def test_any_two_revisions_can_be_compared(history, plan):
    assert [c.sentence for c in history.difference(plan.id, 1, 3)] == ["Beam 1 'e- left': Energy 12 MeV → 9 MeV"]
    assert [c.sentence for c in history.difference(plan.id, 3, 2)] == [
        "Plan: Description – → second",
        "Beam 1 'e- left': Energy 9 MeV → 12 MeV",
    ]


def test_restoring_makes_a_new_revision_and_loses_none(site, history, plan):
    stored = history.restore(plan.id, 1)
    assert stored.revision == 4
    assert stored.plan == plan
    assert [r.revision for r in history.revisions(plan.id)] == [4, 3, 2, 1]
    assert history.revisions(plan.id)[0].reason == "restored r1"
    assert site.plans.load(plan.id, 3).plan.beams[0].energy_mev == 9.0
    with pytest.raises(Refused, match="nothing to restore"):
        history.restore(plan.id, 1)


def test_activity_names_its_subject_and_reason(site, history, plan):
    site.record_event("exported", record=plan.id, detail="revision 3")
    exported, third, second = history.activity(plan.id, limit=3)
    whom = f"{samples.patient().display_name} (4711)"
    assert (exported.event, exported.detail, exported.revision) == ("exported", "revision 3", None)
    assert exported.subject == f"Plan 'Left chest wall' of {whom}"
    assert (third.event, third.revision, second.detail) == ("plan saved", 3, "autosave")
    assert exported.number > third.number > second.number
    assert exported.user == samples.LOGIN
    whole = history.site_activity()
    assert [e.number for e in whole] == list(range(len(whole), 0, -1))
    assert whole[-1].event == "site created"
    assert any(e.subject == whom for e in whole)


def test_a_changed_row_is_not_shown(site, plan):
    with site.records.database.read() as connection:
        row = dict(connection.execute(schema.history.select().limit(1)).mappings().one())
    site.records.trail.check_row(row)
    with pytest.raises(AuditBroken, match="row 1"):
        site.records.trail.check_row(row | {"event": "nothing happened"})


def test_the_log_is_written_as_csv_and_that_is_noted(site, history, plan, tmp_path):
    count = history.export_activity(tmp_path / "log.csv", record=plan.id)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "log.csv").read_text(encoding="utf-8"))))
    assert len(rows) == count == 4
    assert rows[0]["event"] == "activity log exported"
    assert [r["revision"] for r in rows] == ["", "3", "2", "1"]
    assert history.site_activity(limit=1)[0].event == "activity log exported"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "  ="])
def test_no_cell_is_a_formula(history, plan, start):
    (entry,) = history.activity(plan.id, limit=1)
    evil = f'{start}HYPERLINK("http://x","y")'
    text = activity_csv([attrs.evolve(entry, subject=evil, detail=evil, user=evil)])
    row = list(csv.reader(io.StringIO(text, newline="")))[1]
    assert [c for c in row if c.lstrip()[:1] in set("=+-@\t\r") or c[:1] in set("\t\r")] == []
    assert row.count(f"'{evil}") == 3


def test_a_long_log_is_read_in_pages_without_gap_or_double(site, history, plan, monkeypatch):
    monkeypatch.setattr("ert.app.plan_history._PAGE", 3)
    assert [e.number for e in history._all_rows("")] == [e.number for e in history.site_activity()]
