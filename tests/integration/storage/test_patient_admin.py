"""Corrections, merges and states of patients' records: reversible, unique, noted with before, after and why."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest
import sqlalchemy as sa

from ert.app import record_ports
from ert.domain.administration import merge_findings
from ert.domain.patient import Sex
from ert.domain.record import Severity
from ert.errors import ImportRejected, InvalidSite, Refused, StaleRevision
from ert.storage import documents, schema
from tests.integration.storage import samples


@pytest.fixture
def site(tmp_path):
    opened = samples.open_site(samples.copied_site(tmp_path / "site"))
    yield opened
    assert [f for f in opened.check() if f.severity is not Severity.NOTE] == []
    opened.close()


@pytest.fixture
def two(site):
    """Two records of one person, each with a course; the first has a plan with its dose."""
    first, second = samples.import_one(site), samples.import_one(site, seed=2, number="4712")
    plan = samples.plan_of(first)
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    return first, second, plan


def record(site, number):
    (found,) = [r for r in site.administration.records() if r.patient.medical_record_number == number]
    return found


def changes(site, event):
    """What the history says of the newest row of an event."""
    query = sa.select(schema.history).where(schema.history.c.event == event).order_by(schema.history.c.seq.desc())
    with site.records.database.read() as connection:
        row = connection.execute(query).mappings().first()
    cell = site.records.guard.decrypt(row["change_ct"], table="history", row_id=str(row["seq"]), column="change_ct")
    return row, documents.read_document("change", cell)


def test_it_is_the_port(site):
    it: record_ports.PatientAdministration = site.administration
    assert it.records() == ()


def test_an_identity_is_corrected_with_before_and_after(site, two):
    seen = record(site, "4711")
    right = attrs.evolve(
        seen.patient, family_name="Right", medical_record_number="0815", issuer="Other", birth_date=dt.date(1950, 1, 2)
    )
    after = site.administration.correct(seen, right, reason="  slip at registration ")
    assert (after.patient, after.revision) == (right, 2)
    assert site.patients.patient(right.id) == right
    assert site.patients.find("4711", "Clinic") is None
    assert site.patients.find("0815", "Other") == right
    row, change = changes(site, "patient identity corrected")
    assert (row["record"], row["record_rev"]) == (right.id, 2)
    assert change["reason"] == "slip at registration"
    assert (change["before"]["family_name"], change["after"]["family_name"]) == (samples.CANARY, "Right")
    assert (change["before"]["birth_date"], change["after"]["birth_date"]) == ("1948-02-29", "1950-01-02")
    back = site.administration.correct(after, seen.patient, reason="it was right")
    assert back.patient == seen.patient


def test_only_a_correction_or_a_merge_changes_whose_ct_it_may_be(site, two):
    """Exports give a CT another identity only then; putting a record aside and back says nothing of its person."""
    changed, first, second = site.administration.was_changed, record(site, "4711"), record(site, "4712")
    back = site.administration.set_active(
        site.administration.set_active(first, is_active=False, reason="moved away"), is_active=True, reason="is back"
    )
    assert back.revision > first.revision
    assert not changed(first.patient.id)
    merged = site.administration.merge(second, back, reason="one person")
    assert (changed(second.patient.id), changed(first.patient.id)) == (True, False)
    site.administration.unmerge(merged, reason="two persons")
    assert not changed(second.patient.id)
    corrected = attrs.evolve(back.patient, family_name="Right")
    site.administration.correct(record(site, "4711"), corrected, reason="slip at registration")
    assert (changed(first.patient.id), changed(second.patient.id)) == (True, False)


def test_a_record_number_stays_unique_whatever_its_spelling(site, two):
    seen = record(site, "4711")
    for number in ("4712", " 4712 "):
        with pytest.raises(InvalidSite, match="merge"):
            site.administration.correct(seen, attrs.evolve(seen.patient, medical_record_number=number), reason="x")
    assert record(site, "4711") == seen


@pytest.mark.parametrize("sign", ["\u200b", "\u202e", "\u00ad", "\n", "\x1b", "\ufeff"])
def test_no_new_record_number_looks_like_another_one(site, two, sign):
    """`4711` and `47<nothing to be seen>11` would be two records of one person, or one list entry for two."""
    evil, before = f"47{sign}12", site.administration.records()
    with pytest.raises(Refused, match=f"sign that nobody sees \\(U\\+{ord(sign):04X}\\)"):
        samples.import_one(site, seed=3, number=evil)
    seen = record(site, "4711")
    for field in ("medical_record_number", "issuer"):
        with pytest.raises(Refused, match="nobody sees"):
            site.administration.correct(seen, attrs.evolve(seen.patient, **{field: evil}), reason="pasted")
    assert site.administration.records() == before
    assert site.check() == ()


def test_a_number_of_before_with_such_a_sign_can_be_corrected(site, two, monkeypatch):
    monkeypatch.setattr("ert.storage.patients.expect_visible_number", lambda _patient: None)
    samples.import_one(site, seed=3, number="47\u200b13")
    seen = record(site, "47\u200b13")
    named = site.administration.correct(seen, attrs.evolve(seen.patient, given_name="Anne"), reason="misspelt")
    site.administration.correct(named, attrs.evolve(named.patient, medical_record_number="4713"), reason="as printed")
    assert record(site, "4713").patient.given_name == "Anne"


@pytest.mark.parametrize("reason", ["", "   "])
def test_nothing_is_changed_without_a_reason(site, two, reason):
    first, second = record(site, "4711"), record(site, "4712")
    for change in (
        lambda: site.administration.merge(second, first, reason=reason),
        lambda: site.administration.set_active(first, is_active=False, reason=reason),
        lambda: site.administration.correct(first, attrs.evolve(first.patient, sex=Sex.MALE), reason=reason),
    ):
        with pytest.raises(Refused, match="reason"):
            change()
    assert (record(site, "4711"), record(site, "4712")) == (first, second)


def test_a_stale_change_is_refused(site, two):
    seen = record(site, "4711")
    site.administration.set_active(seen, is_active=False, reason="moved away")
    for change in (
        lambda: site.administration.correct(seen, attrs.evolve(seen.patient, sex=Sex.MALE), reason="x"),
        lambda: site.administration.set_active(seen, is_active=False, reason="x"),
        lambda: site.administration.merge(record(site, "4712"), seen, reason="x"),
    ):
        with pytest.raises(StaleRevision):
            change()


def test_a_merge_lists_both_courses_and_is_taken_apart_again(site, two):
    first, second, plan = two
    source, into = record(site, "4711"), record(site, "4712")
    merged = site.administration.merge(source, into, reason="registered twice")
    assert merged.merged_into == into.patient.id
    assert site.patients.patients() == (into.patient,)
    assert [c.id for c in site.patients.courses(into.patient.id)] == [first.id, second.id]
    # The plan of the merged record: whose it is now, and the same bytes.
    assert site.patients.patient(site.patients.course(plan.course_id).patient_id) == into.patient
    assert site.plans.load(plan.id).plan == plan
    assert site.plans.dose(plan.id, "cd" * 32) == samples.dose()
    site.plans.save(samples.renamed(plan, "after the merge"), base_revision=1)
    row, change = changes(site, "patient merged")
    assert (row["record"], change["into"], change["reason"]) == (source.patient.id, into.patient.id, "registered twice")
    assert change["merged"]["medical_record_number"] == "4711"
    assert changes(site, "patient merged into this")[0]["record"] == into.patient.id
    said = {e.event: (e.subject, e.detail) for e in site.activity.entries(limit=10)}
    names = [f"{r.patient.display_name} ({r.patient.medical_record_number})" for r in (source, into)]
    assert said["patient merged"] == (names[0], f"registered twice; into {names[1]}")
    assert said["patient merged into this"] == (names[1], f"registered twice; other {names[0]}")

    apart = site.administration.unmerge(merged, reason="two persons after all")
    assert apart == attrs.evolve(source, revision=3)
    assert {p.id for p in site.patients.patients()} == {source.patient.id, into.patient.id}
    assert [c.id for c in site.patients.courses(into.patient.id)] == [second.id]
    assert [c.id for c in site.patients.courses(source.patient.id)] == [first.id]
    assert site.plans.load(plan.id).revision == 2
    assert changes(site, "patient merge taken apart")[1]["from"] == into.patient.id


def test_what_could_not_be_taken_apart_is_refused(site, two):
    samples.import_one(site, seed=3, number="4713")
    first, second, third = (record(site, n) for n in ("4711", "4712", "4713"))
    with pytest.raises(Refused, match="itself"):
        site.administration.merge(first, first, reason="x")
    with pytest.raises(Refused, match="not merged"):
        site.administration.unmerge(first, reason="x")
    merged = site.administration.merge(first, second, reason="x")
    for source, into in ((second, third), (merged, third), (third, merged)):
        with pytest.raises(Refused):
            site.administration.merge(source, into, reason="x")
    with pytest.raises(Refused, match="merged"):
        site.administration.correct(merged, attrs.evolve(first.patient, sex=Sex.MALE), reason="x")


def test_new_images_under_the_former_number_come_to_the_merged_person(site, two):
    merged = site.administration.merge(record(site, "4711"), record(site, "4712"), reason="x")
    ct, contours = samples.image(9), samples.structures(9)
    course = samples.course_of(merged.patient, ct, contours, name="later")
    assert site.patients.find("4711", "Clinic") == merged.patient
    site.patients.add_import(
        patient=merged.patient, course=course, image=ct, structures=contours, ct_files=samples.ct_files(ct)
    )
    assert [c.name for c in site.patients.courses(merged.merged_into)] == ["Course 1", "Course 1", "later"]


def test_an_inactive_record_keeps_everything_and_takes_no_import(site, two):
    seen = record(site, "4711")
    asleep = site.administration.set_active(seen, is_active=False, reason="treated")
    assert not record(site, "4711").is_active
    assert site.plans.load(two[2].id).plan == two[2]
    ct, contours = samples.image(9), samples.structures(9)
    course = samples.course_of(seen.patient, ct, contours)
    with pytest.raises(ImportRejected, match="inactive"):
        site.patients.add_import(patient=seen.patient, course=course, image=ct, structures=contours, ct_files=[])
    with pytest.raises(Refused, match="already"):
        site.administration.set_active(asleep, is_active=False, reason="again")
    site.administration.set_active(asleep, is_active=True, reason="comes back")
    site.patients.add_import(patient=seen.patient, course=course, image=ct, structures=contours, ct_files=[])


def test_what_contradicts_a_merge_is_named():
    one = samples.patient()
    same = attrs.evolve(one, family_name=samples.CANARY.upper(), given_name=" änne ", birth_date=None)
    assert merge_findings(one, same) == ()
    other = attrs.evolve(one, birth_date=dt.date(1949, 1, 1), sex=Sex.MALE)
    assert [f.subject for f in merge_findings(one, other)] == ["birth date", "sex"]
