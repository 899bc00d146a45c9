"""Everything that is kept comes back bit for bit, in this process and in another one."""

from __future__ import annotations

import json
import subprocess
import sys

import attrs
import numpy as np
import pytest
import sqlalchemy as sa

from ert.app import ports
from ert.domain.record import Severity
from ert.domain.second_check import CheckTolerances, ComparedValue, Light, SecondCheck
from ert.domain.structure import StructureRole
from ert.errors import DigestMismatch, ErtError, ImportRejected, NotFound, StaleRevision, WrongKey
from ert.storage import schema
from ert.storage.check import exit_code
from ert.storage.envelope import FileKind
from tests.integration.storage import samples


@pytest.fixture
def root(tmp_path):
    return samples.copied_site(tmp_path / "site")


@pytest.fixture
def site(root):
    opened = samples.open_site(root)
    yield opened
    opened.close()


def test_an_import_a_plan_and_its_dose_survive_in_another_process(root, repository):
    site = samples.open_site(root)
    course = samples.import_one(site)
    plan = samples.plan_of(course)
    saved = site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    site.machines.add(name="LINAC 1", digest="ef" * 32, content=b"package\0" * 1000)
    assert (saved.revision, saved.saved_by, saved.plan) == (1, samples.LOGIN, plan)
    site.close()
    script = f"""
import hashlib, json, sys
sys.path.insert(0, {str(repository)!r})
from pathlib import Path
from tests.integration.storage import samples
site = samples.open_site(Path({str(root)!r}))
patient = site.patients.patients()[0]
course = site.patients.courses(patient.id)[0]
image = site.patients.image(course.image_id)
structures = site.patients.structure_set(course.structure_set_id)
head = site.plans.heads(course.id)[0]
stored = site.plans.load(head.plan_id)
dose = site.plans.dose(head.plan_id, {"cd" * 32!r})
sha = lambda data: hashlib.sha256(data).hexdigest()
print(json.dumps([patient.display_name, str(patient.birth_date), image.digest, sha(image.hu.tobytes()),
    [s.shape_digest for s in structures.structures], stored.plan.digest, stored.revision, stored.saved_by,
    sha(dose.gy_per_mu.tobytes()), dose.ssd_cm.hex(), sha(site.machines.packages()[0]),
    [[f.sop_instance_uid, sha(f.content)] for f in site.patients.ct_files(image.id)],
    [f.code for f in site.check()]]))
site.close()
"""
    found = json.loads(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    import hashlib

    def sha(data):
        return hashlib.sha256(data).hexdigest()

    ct, contours = samples.image(), samples.structures()
    assert found == [
        f"{samples.CANARY} jr, Dr Änne B.",
        "1948-02-29",
        ct.digest,
        sha(ct.hu.tobytes()),
        [s.shape_digest for s in contours.structures],
        plan.digest,
        1,
        samples.LOGIN,
        sha(samples.dose().gy_per_mu.tobytes()),
        (100.1).hex(),
        sha(b"package\0" * 1000),
        [[f.sop_instance_uid, sha(f.content)] for f in samples.ct_files(ct)],
        [],
    ]


def test_what_comes_back_equals_what_was_given(site):
    who, ct, contours = samples.patient(), samples.image(), samples.structures()
    course = samples.course_of(who, ct, contours)
    site.patients.add_import(patient=who, course=course, image=ct, structures=contours, ct_files=[])
    assert site.patients.patients() == (who,)
    assert site.patients.find(" 4711 ", "CLINIC") == who
    assert site.patients.find("4711", "Elsewhere") is None
    assert site.patients.courses(who.id) == (course,)
    assert site.patients.course(course.id) == course
    assert site.patients.image(ct.id) == ct
    assert not site.patients.image(ct.id).hu.flags.writeable
    assert site.patients.structure_set(contours.id) == contours
    head = site.patients.image_head(ct.id)
    assert (head.shape_zyx, head.spacing_cm, head.description) == (ct.hu.shape, ct.grid.spacing_cm, "Planning CT")
    assert list(site.patients.ct_files(ct.id)) == []


def test_the_site_is_what_the_application_asks_for(site, root):
    store: ports.SiteStore = site
    assert (store.site_name, store.user_name, store.path) == ("Clinic", samples.LOGIN, root)
    assert samples.sites().is_site(root)
    assert not samples.sites().is_site(root / "data")


def test_revisions_are_kept_and_a_stale_one_is_refused_leaving_no_file(site, root):
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    second = site.plans.save(samples.renamed(plan, "second"), base_revision=1, doses=[samples.dose()])
    assert second.revision == 2
    files = sorted(root.rglob("*.erte"))
    with pytest.raises(StaleRevision, match="saved revision 2 of this plan .*began with revision 1"):
        site.plans.save(samples.renamed(plan, "late"), base_revision=1, doses=[samples.dose("99" * 32)])
    with pytest.raises(StaleRevision):
        site.plans.save(samples.renamed(plan, "late"), base_revision=0)
    with pytest.raises(StaleRevision):
        site.plans.save(attrs.evolve(plan, id="unknown"), base_revision=3)
    assert sorted(root.rglob("*.erte")) == files
    assert [s.plan.name for s in site.plans.revisions(plan.id)] == ["Left chest wall", "second"]
    assert site.plans.load(plan.id, 1).plan == plan
    assert site.plans.load(plan.id).plan.name == site.plans.heads(plan.course_id)[0].name == "second"
    with pytest.raises(NotFound):
        site.plans.load(plan.id, 3)
    with pytest.raises(NotFound):
        site.plans.load("nowhere")


def test_two_sessions_cannot_overwrite_each_other(site, root):
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0)
    other = samples.open_site(root)
    other.plans.save(samples.renamed(plan, "theirs"), base_revision=1)
    other.close()
    with pytest.raises(StaleRevision):
        site.plans.save(samples.renamed(plan, "mine"), base_revision=1)
    assert site.plans.load(plan.id).plan.name == "theirs"


def test_a_plan_too_long_for_a_cell_goes_to_a_file(site, root):
    plan = samples.plan_of(samples.import_one(site), outline_points=9000)
    before = len(list(root.rglob("*.erte")))
    site.plans.save(plan, base_revision=0)
    assert len(list(root.rglob("*.erte"))) == before + 1
    assert site.plans.load(plan.id).plan == plan
    assert site.check() == ()


def test_a_dose_is_kept_once_and_only_for_its_plan(site, root):
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    before = len(list(root.rglob("*.erte")))
    site.plans.save(samples.renamed(plan, "b"), base_revision=1, doses=[samples.dose(), samples.dose()])
    assert len(list(root.rglob("*.erte"))) == before
    assert site.plans.dose(plan.id, "cd" * 32) == samples.dose()
    assert site.plans.dose(plan.id, "00" * 32) is None
    assert site.plans.dose("another", "cd" * 32) is None


def test_a_monte_carlo_dose_is_kept_with_its_standard_errors_or_not_read_at_all(site, root):
    plan = samples.plan_of(samples.import_one(site))
    kept = samples.noisy_dose()
    before = set(root.rglob("*.erte"))
    site.plans.save(plan, base_revision=0, doses=[kept])
    assert len(set(root.rglob("*.erte")) - before) == 2  # values and errors
    found = site.plans.dose(plan.id, kept.request_digest)
    assert found == kept
    assert samples.same_statistics(found.statistics, kept.statistics)
    assert site.check() == ()
    file = schema.file
    with site.records.database.read() as connection:
        (path,) = connection.execute(sa.select(file.c.path).where(file.c.kind == int(FileKind.DOSE_ERRORS))).scalars()
    (root / path).unlink()
    with pytest.raises(ErtError):
        site.plans.dose(plan.id, kept.request_digest)
    assert {f.code for f in site.check()} == {"CHECK-FILE"}


def a_check(plan, pass_pct=97.5):
    value = ComparedValue(
        subject="PTV", quantity="D95%", first_gy=47.1, second_gy=46.0, difference_pct=-2.2, light=Light.GREEN
    )
    return SecondCheck(
        plan_digest=plan.digest, first_engine="monte-carlo 7", second_engine="pbra 7", gamma_reference="monte-carlo 7",
        gamma_pass_pct=pass_pct, gamma_mean_ratio=0.4, gamma_points=1234, tolerances=CheckTolerances(), values=(value,),
    )  # fmt: skip


def test_second_checks_are_kept_with_the_revision_they_were_made_on(site, root):
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0)
    assert site.plans.second_checks(plan.id) == ()
    for pass_pct in (97.5, 91.0):
        site.plans.add_second_check(plan, 1, a_check(plan, pass_pct))
    second = samples.renamed(plan, "b")
    with pytest.raises(DigestMismatch, match="another state"):
        site.plans.add_second_check(second, 1, a_check(second))
    site.plans.save(second, base_revision=1)
    site.plans.add_second_check(second, 2, a_check(second, 80.0))
    kept = site.plans.second_checks(plan.id)
    assert [(k.revision, k.check.gamma_pass_pct) for k in kept] == [(1, 97.5), (1, 91.0), (2, 80.0)]
    assert kept[0].check == a_check(plan)
    assert [k.check.light for k in kept] == [Light.GREEN, Light.AMBER, Light.RED]
    assert {k.made_by for k in kept} == {site.user_name}
    assert site.plans.load(plan.id).plan == second
    assert site.check() == ()


def test_changed_structures_become_the_next_revision(site, root):
    course = samples.import_one(site)
    contours = site.patients.structure_set(course.structure_set_id)
    other = samples.open_site(root)
    theirs = other.patients.structure_set(course.structure_set_id)
    changed = attrs.evolve(contours.structures[2], role=StructureRole.SUPPORT)
    mine = attrs.evolve(contours, structures=(*contours.structures[:2], changed, contours.structures[3]))
    site.patients.save_structure_set(mine, course_id=course.id)
    assert site.patients.structure_set(contours.id) == mine
    with pytest.raises(StaleRevision):
        other.patients.save_structure_set(theirs, course_id=course.id)
    assert other.patients.structure_set(contours.id) == mine
    other.close()
    assert site.check() == ()


def test_long_structure_sets_go_to_a_file(site, root):
    who, ct, contours = samples.patient(), samples.image(), samples.structures()
    rng = np.random.default_rng(3)
    points = tuple(tuple(row) for row in rng.normal(size=(4000, 3)).tolist())
    contours = attrs.evolve(contours, structures=(attrs.evolve(contours.structures[3], points=points),))
    course = samples.course_of(who, ct, contours)
    site.patients.add_import(patient=who, course=course, image=ct, structures=contours, ct_files=[])
    assert len(list(root.rglob("*.erte"))) == 3
    assert site.patients.structure_set(contours.id) == contours
    assert site.check() == ()


def test_a_save_that_loses_the_race_inside_the_transaction_is_stale(site, root, monkeypatch):
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0)
    files = sorted(root.rglob("*.erte"))
    check = site.plans.check_base

    def overtaken(wanted, base_revision):
        folder = check(wanted, base_revision)
        other = samples.open_site(root)
        other.plans.save(samples.renamed(plan, "theirs"), base_revision=1)
        other.close()
        return folder

    monkeypatch.setattr(site.plans, "check_base", overtaken)
    with pytest.raises(StaleRevision, match="revision 2"):
        site.plans.save(samples.renamed(plan, "mine"), base_revision=1, doses=[samples.dose("77" * 32)])
    assert sorted(root.rglob("*.erte")) == files
    assert site.plans.load(plan.id).plan.name == "theirs"


def test_structures_are_changed_from_what_was_read(site):
    course = samples.import_one(site)
    contours = site.patients.structure_set(course.structure_set_id)
    with pytest.raises(NotFound):
        site.patients.save_structure_set(attrs.evolve(contours, id="other"), course_id=course.id)


def test_a_plan_stays_in_its_course(site):
    first = samples.import_one(site)
    second = samples.import_one(site, seed=2, number="4712")
    plan = samples.plan_of(first)
    site.plans.save(plan, base_revision=0)
    with pytest.raises(NotFound, match="another course"):
        site.plans.save(attrs.evolve(plan, course_id=second.id), base_revision=1)


def test_an_import_that_contradicts_the_site_is_refused_whole(site, root):
    course = samples.import_one(site)
    who = site.patients.patient(course.patient_id)
    files = sorted(root.rglob("*.erte"))

    def add(patient, ct, contours):
        course = samples.course_of(patient, ct, contours)
        site.patients.add_import(patient=patient, course=course, image=ct, structures=contours, ct_files=[])

    with pytest.raises(ImportRejected, match="birth date"):
        add(attrs.evolve(who, birth_date=None), samples.image(2), samples.structures(2))
    with pytest.raises(ImportRejected, match="another medical record number"):
        add(attrs.evolve(who, medical_record_number="4712"), samples.image(2), samples.structures(2))
    with pytest.raises(ImportRejected, match="imported before"):
        add(who, samples.image(1), samples.structures(1))
    hu = samples.image(1).hu.copy()
    hu[0, 0, 0] ^= 1
    with pytest.raises(ImportRejected, match="other voxels"):
        add(who, attrs.evolve(samples.image(1), hu=hu), samples.structures(2))
    with pytest.raises(ImportRejected, match="does not belong"):
        site.patients.add_import(
            patient=who, course=course, image=samples.image(3), structures=samples.structures(3), ct_files=[]
        )
    assert sorted(root.rglob("*.erte")) == files
    add(who, samples.image(1), samples.structures(2))
    add(who, samples.image(2), samples.structures(3))
    assert len(site.patients.courses(who.id)) == 3
    assert len(site.patients.patients()) == 1


def test_an_import_that_fails_half_way_leaves_nothing(site, root):
    who, ct, contours = samples.patient(), samples.image(), samples.structures()

    def broken():
        yield samples.ct_files(ct)[0]
        raise RuntimeError("the disc was pulled")

    course = samples.course_of(who, ct, contours)
    with pytest.raises(RuntimeError, match="pulled"):
        site.patients.add_import(patient=who, course=course, image=ct, structures=contours, ct_files=broken())
    assert list(root.rglob("*.erte")) == []
    assert site.patients.patients() == ()


def test_a_machine_package_is_immutable(site):
    site.machines.add(name="A", digest="11" * 32, content=b"one")
    site.machines.add(name="B", digest="22" * 32, content=np.random.default_rng(1).bytes(3_000_000))
    site.machines.add(name="A", digest="11" * 32, content=b"one")
    assert [len(p) for p in site.machines.packages()] == [3, 3_000_000]
    with pytest.raises(DigestMismatch):
        site.machines.add(name="A", digest="11" * 32, content=b"other")
    with pytest.raises(DigestMismatch):
        site.machines.add(name="other", digest="11" * 32, content=b"one")


def test_history_tells_a_configured_machine_from_an_added_one(site):
    site.machines.add(name="A", digest="11" * 32, content=b"one")
    site.machines.add(name="A", digest="22" * 32, content=b"two", replaces="11" * 32)
    assert site.machines.packages() == (b"one", b"two")
    with site.records.database.read() as connection:
        events = [row[0] for row in connection.exec_driver_sql("SELECT event FROM history ORDER BY seq")]
        assert site.records.trail.verify(connection) == len(events)
    assert events[-2:] == ["machine added", "machine configured"]
    assert exit_code(site.check()) == 0


def test_nothing_readable_is_on_the_disk(site, root):
    course = samples.import_one(site, number="ZQ-4711-0815")  # four digits alone occur by chance
    site.plans.save(samples.plan_of(course), base_revision=0, doses=[samples.dose()])
    site.record_event("export", record=course.id, detail=f"to {samples.CANARY}")
    vault = site.records.guard._vault
    secrets = [bytes(key) for key in (vault._master, *vault._keys.values())]
    names = ["Curie", "Radium", "Clinic", "chest", "ZQ-4711", "BODY", "1.2.5.1", "1.2.6.1.0", samples.CANARY]
    forbidden = [n.encode() for n in names] + secrets + [k.hex().encode() for k in secrets]
    for path in [*root.rglob("*")]:
        data = path.read_bytes() if path.is_file() else b""
        assert [f for f in forbidden if f in data or f.decode("latin-1") in str(path.relative_to(root))] == [], path


def test_wrong_password_and_unknown_user_read_the_same(root):
    with pytest.raises(WrongKey) as first:
        samples.sites().open(root, user_name=samples.LOGIN, password="Radium-225!")
    with pytest.raises(WrongKey) as second:
        samples.sites().open(root, user_name="Nobody", password=samples.PASSWORD)
    assert str(first.value) == str(second.value)


def test_the_recovery_code_gives_a_new_password_and_ends_the_old_one(tmp_path):
    root = tmp_path / "site"
    code = samples.make_site(root)
    gateway = samples.sites()
    site = gateway.recover(root, recovery_code=code.lower(), user_name=samples.LOGIN, new_password="Polonium-210!")
    assert site.user_name == samples.LOGIN
    assert exit_code(site.check()) == 0
    site.close()
    with pytest.raises(WrongKey):
        samples.open_site(root)
    gateway.open(root, user_name=samples.LOGIN, password="Polonium-210!").close()
    with pytest.raises(NotFound):
        gateway.recover(root, recovery_code=code, user_name="Nobody", new_password="Polonium-210!")


def test_history_notes_who_did_what(site):
    course = samples.import_one(site)
    site.plans.save(samples.plan_of(course), base_revision=0)
    with site.records.database.read() as connection:
        events = [row[0] for row in connection.exec_driver_sql("SELECT event FROM history ORDER BY seq")]
        assert site.records.trail.verify(connection) == len(events)
    assert events == [
        "site created", "user added", "signed in", "patient added", "image imported", "structure set imported",
        "course added", "plan saved",
    ]  # fmt: skip


def test_orphans_are_notes_and_do_no_harm(site, root):
    samples.import_one(site)
    (root / "tmp" / "left.part").write_bytes(b"x")
    findings = site.check()
    assert [(f.code, f.severity, f.subject) for f in findings] == [("CHECK-ORPHAN", Severity.NOTE, "tmp/left.part")]
    assert exit_code(findings) == 0
