"""A plan that is signed stays what was signed: read back to the last bit, never changed, every damage told."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import sqlalchemy as sa
import sqlcipher3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ert.domain.account import Feature, Grant, Level
from ert.domain.approval import MEANING, signed_bytes
from ert.domain.approval_rule import ApprovalRule
from ert.domain.record import PlanStatus
from ert.errors import DigestMismatch, LockHeld, NotPermitted, PlanLocked, StaleRevision, WrongKey
from ert.storage import documents, schema
from ert.storage.approvals import INTEGRITY_ALARM
from ert.storage.assembly import DATABASE
from ert.storage.exclusive import plan_scope
from ert.storage.locked import DENIED
from tests.integration.storage import samples


@pytest.fixture
def root(tmp_path):
    return samples.copied_site(tmp_path / "site")


@pytest.fixture
def site(root):
    opened = samples.open_site(root)
    yield opened
    opened.close()


def events(site, plan_id) -> list[str]:
    return [entry.event for entry in site.activity.entries(limit=100, record=plan_id)]


def rewritten(site, table, row, **changes) -> None:
    """What a program with every key of the site, but not the signer's password, could do to a row."""
    new = row | changes
    new["row_mac"] = site.records.guard.row_code(table.name, new)
    connection = sqlcipher3.connect(str(site.path / DATABASE), isolation_level=None)
    connection.execute(f'PRAGMA key = "{site.records.guard._vault.database_key_literal()}"')
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    columns = ", ".join(f"{name} = ?" for name in new)
    connection.execute(f"UPDATE {table.name} SET {columns} WHERE uuid = ?", (*new.values(), row["uuid"]))
    connection.close()


def rows(site, table) -> list[dict]:
    with site.records.database.read() as connection:
        return site.records.rows(connection, table)


def test_what_was_signed_is_read_back_in_another_session_to_the_last_bit(site, root):
    plan, doses = samples.plan_to_approve(site)
    signed = samples.approve(site, plan, doses)
    site.close()
    again = samples.open_site(root)
    stored = again.plans.load(plan.id)
    assert (stored.status, stored.revision, stored.plan) == (PlanStatus.APPROVED, 2, plan)
    pinned = again.approvals.pinned(stored.plan)
    assert pinned.state.approval == signed
    assert (signed.user_name, signed.meaning, signed.revision) == (samples.LOGIN, MEANING, 2)
    for found, made in zip(pinned.doses, doses, strict=True):
        assert found == made
        assert found.gy_per_mu.tobytes() == made.gy_per_mu.tobytes()
        assert samples.same_statistics(found.statistics, made.statistics)
    assert again.check() == ()
    assert events(again, plan.id)[0] == "plan approved"
    again.close()


def test_the_signature_verifies_outside_this_program_over_every_field(site):
    """Ed25519 (RFC 8032) by the library alone, with the key in the user's row."""
    plan, doses = samples.plan_to_approve(site)
    signed = samples.approve(site, plan, doses)
    (row,) = rows(site, schema.approval)
    signature = bytes.fromhex(site.records.decrypt_document("approval", row, table=schema.approval)["signature"])
    with site.records.database.read() as connection:
        user = site.records.row(connection, schema.user, signed.user_id)
    public = site.records.decrypt_document("user", user, table=schema.user)["public_ed25519"]
    assert public == signed.public_key
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    key.verify(signature, signed_bytes(site.site_id, signed))
    for field in attrs.fields(type(signed)):
        value = getattr(signed, field.name)
        other = value[:-1] if isinstance(value, tuple) and value else value + 1 if isinstance(value, int) else "x"
        if value not in (other, ()):
            with pytest.raises(Exception):  # noqa: B017, PT011 - InvalidSignature of the library
                key.verify(signature, signed_bytes(site.site_id, attrs.evolve(signed, **{field.name: other})))


CHANGES = {
    "save": lambda s, p, d: s.plans.save(samples.renamed(p, "other"), base_revision=2),
    "save of the same": lambda s, p, d: s.plans.save(p, base_revision=2),
    "save by a colleague who looked before": lambda s, p, d: s.plans.save(samples.renamed(p, "x"), base_revision=1),
    "mark ready": lambda s, p, d: s.plans.save(p, base_revision=2, status=PlanStatus.READY),
    "restore an earlier revision": lambda s, p, d: s.plans.save(p, base_revision=2, reason="restored r1"),
    "keep other doses": lambda s, p, d: s.plans.add_doses(p, 2, [samples.dose("99" * 32)]),
    "second check": lambda s, p, d: s.plans.add_second_check(p, 2, second_check(p)),
    "approve again": lambda s, p, d: samples.approve(s, p, d, revision=2),
}


def second_check(plan):
    from ert.domain.second_check import CheckTolerances, SecondCheck

    return SecondCheck(
        plan_digest=plan.digest, first_engine="a", second_engine="b", gamma_reference="b", gamma_pass_pct=99.0,
        gamma_mean_ratio=1.0, gamma_points=10, tolerances=CheckTolerances(), values=(),
    )  # fmt: skip


@pytest.mark.parametrize("status", [PlanStatus.APPROVED, PlanStatus.WITHDRAWN, PlanStatus.SUPERSEDED])
@pytest.mark.parametrize("name", sorted(CHANGES))
def test_every_change_of_a_plan_that_was_approved_is_denied_and_logged(site, root, name, status):
    plan, doses = samples.plan_to_approve(site)
    signed = samples.approve(site, plan, doses)
    if status is not PlanStatus.APPROVED:
        site.approvals.end(plan, samples.end_of(signed, status), base_revision=2, password=samples.PASSWORD)
    before = {p: p.read_bytes() for p in (root / "data").rglob("*.erte")}
    kept = [rows(site, table) for table in (schema.plan, schema.plan_revision, schema.approval, schema.dose)]
    with pytest.raises((PlanLocked, StaleRevision) if name == "approve again" else PlanLocked):
        CHANGES[name](site, plan, doses)
    assert [rows(site, t) for t in (schema.plan, schema.plan_revision, schema.approval, schema.dose)] == kept
    assert {p: p.read_bytes() for p in (root / "data").rglob("*.erte")} == before
    assert name == "approve again" or events(site, plan.id)[0] == DENIED
    assert site.check() == ()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approval SET plan_rev = 3",
        "UPDATE approval SET state = 'WITHDRAWN'",
        "UPDATE approval SET document_ct = NULL",
        "DELETE FROM approval",
        "UPDATE plan SET digest = '00'",
        "UPDATE plan SET state = 'DRAFT'",
        "UPDATE plan SET rev = 7",
        "UPDATE plan SET state = 'WITHDRAWN', digest = '00'",
        "DELETE FROM plan",
        "UPDATE plan_revision SET digest = '00'",
        "DELETE FROM plan_revision",
        "UPDATE dose SET content_digest = '00'",
        "DELETE FROM dose",
        "DELETE FROM file",
        "UPDATE file SET content_hash = sha256_cipher",
    ],
)
def test_the_database_itself_refuses_to_change_what_was_signed(site, statement):
    plan, doses = samples.plan_to_approve(site)
    samples.approve(site, plan, doses)
    refused = pytest.raises(sa.exc.IntegrityError, match="may not be changed so")
    with refused, site.records.transaction() as connection:
        connection.exec_driver_sql(statement)
    assert site.check() == ()


def test_after_its_approval_ended_no_row_of_a_plan_can_be_changed_at_all(site):
    plan, doses = samples.plan_to_approve(site)
    signed = samples.approve(site, plan, doses)
    ended = site.approvals.end(plan, samples.end_of(signed), base_revision=2, password=samples.PASSWORD)
    with pytest.raises(sa.exc.IntegrityError, match="may not be changed so"), site.records.transaction() as connection:
        connection.exec_driver_sql("UPDATE plan SET updated_utc = '2000'")
    state = site.approvals.state(plan.id)
    assert (state.approval, state.end, state.is_valid) == (signed, ended, False)
    assert "WITHDRAWN" in state.text
    assert "The target was drawn anew." in state.text
    assert site.plans.load(plan.id).status is PlanStatus.WITHDRAWN
    assert site.plans.load(plan.id, 2).status is PlanStatus.APPROVED
    assert site.check() == ()


def test_a_copy_of_an_approved_plan_is_unapproved_and_can_be_edited(site):
    plan, doses = samples.plan_to_approve(site)
    samples.approve(site, plan, doses)
    copy = attrs.evolve(plan, id="00000000-0000-4000-8000-000000000001", name="copy")
    assert site.plans.save(copy, base_revision=0).status is PlanStatus.DRAFT
    assert site.plans.save(samples.renamed(copy, "copy 2"), base_revision=1).revision == 2
    assert site.approvals.state(copy.id) is None


# ---- who may sign, and what ---------------------------------------------------------------------------------------


def test_a_wrong_password_signs_nothing_and_counts_as_an_attempt(site):
    plan, doses = samples.plan_to_approve(site)
    with pytest.raises(WrongKey):
        samples.approve(site, plan, doses, password="Not-this-1!")
    assert site.approvals.state(plan.id) is None
    assert site.plans.load(plan.id).status is PlanStatus.READY


@pytest.mark.parametrize(
    "grant",
    [Grant(), Grant(level=Level.ELEVATED), Grant(level=Level.RESEARCH, features=frozenset({Feature.PLAN_APPROVAL}))],
)
def test_who_has_no_right_signs_nothing_whatever_the_program_asked(site, root, grant):
    plan, doses = samples.plan_to_approve(site)
    site.accounts.add("anna", password="One-time-1!", grant=grant)
    other = samples.sites().open(root, user_name="anna", password="One-time-1!")
    other.accounts.change_own_password("One-time-1!", "Another-one-2!")
    with pytest.raises(NotPermitted, match="Plan Approval"):
        samples.approve(other, plan, doses, password="Another-one-2!")
    other.close()
    assert site.approvals.state(plan.id) is None


def test_an_approval_outlives_the_password_and_the_account_of_its_signer(site, root):
    plan, doses = samples.plan_to_approve(site)
    grant = Grant(features=frozenset({Feature.PLAN_APPROVAL}))
    account = site.accounts.add("anna", password="One-time-1!", grant=grant)
    other = samples.sites().open(root, user_name="anna", password="One-time-1!")
    other.accounts.change_own_password("One-time-1!", "Another-one-2!")
    signed = samples.approve(other, plan, doses, password="Another-one-2!")
    other.close()
    site.accounts.reset_password(account.id, "One-time-3!")  # a reset makes a new signing key
    site.accounts.disable(account.id)
    assert site.approvals.pinned(plan).state.approval == signed
    assert site.check() == ()


def test_what_is_not_ready_or_not_saved_so_is_not_signed(site):
    plan, doses = samples.plan_to_approve(site)
    site.plans.save(plan, base_revision=1)  # a draft again
    with pytest.raises(StaleRevision):
        samples.approve(site, plan, doses, revision=2)
    with pytest.raises(StaleRevision):
        samples.approve(site, plan, doses, revision=1)
    site.plans.save(plan, base_revision=2, status=PlanStatus.READY)
    other = samples.renamed(plan, "not what is saved")
    with pytest.raises(StaleRevision):
        samples.approve(site, other, doses, revision=3)
    samples.approve(site, plan, doses, revision=3)


def test_doses_that_are_not_those_of_the_approval_are_not_pinned(site):
    plan, doses = samples.plan_to_approve(site)
    unsigned = samples.approval_of(site, plan, doses)
    values = np.array(doses[0].gy_per_mu)
    values[0, 0, 0] = np.nextafter(values[0, 0, 0], np.float32(9))
    other = [attrs.evolve(doses[0], gy_per_mu=values), doses[1]]
    with pytest.raises(DigestMismatch, match="DO NOT TREAT"):
        site.approvals.approve(plan, unsigned, other, base_revision=1, password=samples.PASSWORD)
    assert site.approvals.state(plan.id) is None


def test_who_signs_holds_the_plan_and_an_edit_before_makes_the_signature_stale(site, root):
    plan, doses = samples.plan_to_approve(site)
    colleague = samples.open_site(root)
    lease = colleague.locks.take_plan(plan.id, doing="signing the plan")
    with pytest.raises(LockHeld):
        samples.approve(site, plan, doses)
    colleague.plans.save(samples.renamed(plan, "edited"), base_revision=1)
    colleague.locks.release(lease)
    with pytest.raises(StaleRevision):
        samples.approve(site, plan, doses)
    colleague.close()
    assert site.plans.head(plan.id).name == "edited"
    assert plan_scope(plan.id) not in site.records.leases


def a_colleague(site, root):
    """Another approver's session."""
    name, first, own = "Dr. Lise Meitner", "Zebra-Quartz-7!", "Quartz-Zebra-8!"
    grant = Grant(level=Level.DEFAULT, features=frozenset({Feature.PLAN_APPROVAL}))
    site.accounts.add(name, password=first, grant=grant)
    hers = samples.sites().open(root, user_name=name, password=first)
    hers.accounts.change_own_password(first, own)
    hers.refresh_account()
    return hers, own


def test_where_the_site_asks_for_another_person_who_edited_last_signs_nothing(site, root):
    """Whoever marks a plan ready, or keeps doses, edits nothing; whoever restores an earlier revision does."""
    plan, doses = samples.plan_to_approve(site)
    rules = site.approvals.rules
    assert not rules.read().needs_another_person
    rules.save(ApprovalRule(needs_another_person=True))
    with pytest.raises(NotPermitted, match=r"You edited this plan last \(revision 1\).*Nothing was signed"):
        samples.approve(site, plan, doses)
    assert site.approvals.state(plan.id) is None
    hers, password = a_colleague(site, root)
    hers.plans.save(plan, base_revision=1, status=PlanStatus.READY)  # the same content, in her name
    found = hers.approvals.last_edit(plan.id)
    assert (found.user_name, found.revision) == (samples.LOGIN, 1)
    with pytest.raises(NotPermitted):
        samples.approve(site, plan, doses, revision=2)
    hers.plans.save(samples.renamed(plan, "hers"), base_revision=2)
    hers.plans.save(plan, base_revision=3, status=PlanStatus.READY, reason="restored r1")
    found = hers.approvals.last_edit(plan.id)
    assert (found.user_name, found.revision) == ("Dr. Lise Meitner", 4)
    with pytest.raises(NotPermitted, match="revision 4"):
        samples.approve(hers, plan, doses, revision=4, password=password)
    signed = samples.approve(site, plan, doses, revision=4)
    assert (signed.user_name, site.approvals.state(plan.id).is_valid) == (samples.LOGIN, True)
    hers.close()
    (noted,) = [e for e in site.activity.entries(limit=50) if e.event == "approval rule changed"]
    assert "must be another person" in noted.detail
    assert site.check() == ()


def test_without_the_rule_whoever_edited_last_may_sign(site):
    plan, doses = samples.plan_to_approve(site)
    site.approvals.rules.save(ApprovalRule(needs_another_person=True))
    site.approvals.rules.save(ApprovalRule())
    assert samples.approve(site, plan, doses).user_name == samples.LOGIN


def test_patients_that_are_merged_or_corrected_leave_the_approval_valid(site):
    plan, doses = samples.plan_to_approve(site)
    signed = samples.approve(site, plan, doses)
    samples.import_one(site, seed=2, number="0815")
    first, second = site.administration.records()
    source, into = (first, second) if first.patient.id == signed.patient_id else (second, first)
    merged = site.administration.merge(source, into, reason="the same person")
    assert site.approvals.pinned(plan).state.approval == signed
    site.administration.unmerge(merged, reason="not the same person")
    seen = next(r for r in site.administration.records() if r.patient.id == signed.patient_id)
    site.administration.correct(seen, attrs.evolve(seen.patient, given_name="Anne"), reason="misspelt")
    assert site.approvals.pinned(plan).state.approval == signed
    assert site.check() == ()


def test_structures_of_an_approved_plan_keep_their_shapes_and_may_change_their_roles(site):
    plan, doses = samples.plan_to_approve(site)
    samples.approve(site, plan, doses)
    contours = site.patients.structure_set(plan.structure_set_id)
    moved = attrs.evolve(
        contours, structures=(attrs.evolve(contours.structures[0], contours=()), *contours.structures[1:])
    )
    with pytest.raises(PlanLocked):
        site.patients.save_structure_set(moved, course_id=plan.course_id)
    recoloured = tuple(attrs.evolve(s, colour=(1, 2, 3)) for s in contours.structures)
    site.patients.save_structure_set(attrs.evolve(contours, structures=recoloured), course_id=plan.course_id)
    assert site.approvals.pinned(plan) is not None
    assert site.check() == ()


# ---- damage -------------------------------------------------------------------------------------------------------


def pinned_files(site, root):
    wanted = [r["path"] for r in rows(site, schema.file) if r["owner_table"] == "approval"]
    return [root / path for path in wanted]


def test_a_flipped_bit_in_a_pinned_file_is_found_wherever_it_is(site, root):
    plan, doses = samples.plan_to_approve(site)
    samples.approve(site, plan, doses)
    files = pinned_files(site, root)
    assert len(files) == 3  # two doses, and the standard errors of one
    for path in files:
        data = path.read_bytes()
        path.chmod(0o600)
        for at in (0, 20, 70, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
            with pytest.raises(DigestMismatch, match="DO NOT TREAT – integrity failure"):
                site.approvals.pinned(plan)
            assert "CHECK-APPROVAL" in {f.code for f in site.check()}
        path.write_bytes(data)
    assert site.approvals.pinned(plan) is not None
    assert events(site, plan.id).count(INTEGRITY_ALARM) == 15


def test_a_lost_pinned_file_is_told_though_the_plan_has_the_same_dose_elsewhere(site, root):
    plan, doses = samples.plan_to_approve(site)
    samples.approve(site, plan, doses)
    path = pinned_files(site, root)[0]
    path.chmod(0o600)
    path.unlink()
    assert site.plans.dose(plan.id, doses[0].request_digest) == doses[0]  # kept with the plan, and not taken
    with pytest.raises(DigestMismatch, match="DO NOT TREAT"):
        site.approvals.pinned(plan)
    assert "CHECK-APPROVAL" in {f.code for f in site.check()}


@pytest.mark.parametrize("field", ["plan_dose_digest", "user_name", "at_utc", "second_check", "meaning"])
def test_a_program_with_every_key_but_the_signers_password_cannot_change_what_was_signed(site, field):
    plan, doses = samples.plan_to_approve(site)
    signed = samples.approve(site, plan, doses)
    (row,) = rows(site, schema.approval)
    content = site.records.decrypt_document("approval", row, table=schema.approval)
    content["value"][field] = f"{getattr(signed, field)} "
    cell = site.records.encrypt_document("approval", content, table=schema.approval, row_id=row["uuid"])
    rewritten(site, schema.approval, row, document_ct=cell)
    with pytest.raises(DigestMismatch, match="DO NOT TREAT"):
        site.approvals.state(plan.id)
    assert "CHECK-APPROVAL" in {f.code for f in site.check()}


def test_signing_anew_with_another_key_is_found(site):
    plan, doses = samples.plan_to_approve(site)
    signed = samples.approve(site, plan, doses)
    (row,) = rows(site, schema.approval)
    content = site.records.decrypt_document("approval", row, table=schema.approval)
    key = Ed25519PrivateKey.generate()
    forged = attrs.evolve(signed, user_name="Somebody", public_key=key.public_key().public_bytes_raw().hex())
    content |= {"value": documents.to_content(forged)}
    content["signature"] = key.sign(signed_bytes(site.site_id, forged)).hex()
    cell = site.records.encrypt_document("approval", content, table=schema.approval, row_id=row["uuid"])
    rewritten(site, schema.approval, row, document_ct=cell)
    with pytest.raises(DigestMismatch, match="signature of this approved plan"):
        site.approvals.state(plan.id)


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        (schema.plan, {"state": "DRAFT"}),
        (schema.plan, {"digest": "00"}),
        (schema.plan_revision, {"state": "DRAFT"}),
        (schema.image, {"digest": "00"}),
    ],
)
def test_rows_around_an_approval_that_no_longer_fit_it_are_found(site, table, changes):
    plan, doses = samples.plan_to_approve(site)
    samples.approve(site, plan, doses)
    row = rows(site, table)[-1]
    rewritten(site, table, row, **changes)
    with pytest.raises(DigestMismatch, match="DO NOT TREAT"):
        site.approvals.pinned(plan)
    assert "CHECK-APPROVAL" in {f.code for f in site.check()}


def test_a_plan_that_says_it_is_approved_without_an_approval_is_found(site):
    plan, _ = samples.plan_to_approve(site)
    (row,) = rows(site, schema.plan)
    rewritten(site, schema.plan, row, state="APPROVED")
    with pytest.raises(DigestMismatch, match="DO NOT TREAT"):
        site.approvals.state(plan.id)
    assert "CHECK-APPROVAL" in {f.code for f in site.check()}


def test_without_the_signature_the_forgery_passes(site, monkeypatch):
    """The control: rows, codes and digests alone do not show it."""
    plan, doses = samples.plan_to_approve(site)
    signed = samples.approve(site, plan, doses)
    (row,) = rows(site, schema.approval)
    content = site.records.decrypt_document("approval", row, table=schema.approval)
    content["value"]["second_check"] = "never made"
    cell = site.records.encrypt_document("approval", content, table=schema.approval, row_id=row["uuid"])
    rewritten(site, schema.approval, row, document_ct=cell)
    monkeypatch.setattr("ert.storage.approved._expect_signature", lambda *_: None)
    assert site.approvals.pinned(plan).state.approval == attrs.evolve(signed, second_check="never made")


# ---- with everything else -----------------------------------------------------------------------------------------


def test_a_backup_carries_the_approval_and_its_pinned_doses(site, root, tmp_path):
    from ert.storage.maintenance import SiteCare

    plan, doses = samples.plan_to_approve(site)
    signed = samples.approve(site, plan, doses)
    assert site.start_backup(tmp_path / "backups").finish().is_good
    who = {"user_name": samples.LOGIN, "password": samples.PASSWORD}
    quiet = lambda _fraction, _text: None  # noqa: E731
    SiteCare().restore(tmp_path / "backups", "", to=tmp_path / "copy", progress=quiet, **who)
    copy = samples.open_site(tmp_path / "copy")
    found = copy.approvals.pinned(plan)
    assert found.state.approval == signed
    assert [d.gy_per_mu.tobytes() for d in found.doses] == [d.gy_per_mu.tobytes() for d in doses]
    copy.close()


def test_an_approval_is_valid_under_new_keys_and_its_files_can_be_written_anew(site, root):
    plan, doses = samples.plan_to_approve(site)
    signed = samples.approve(site, plan, doses)
    site.close()
    who = {"user_name": samples.LOGIN, "password": samples.PASSWORD}
    samples.sites().renew_data_keys(root, progress=lambda _fraction, _text: None, **who)
    again = samples.open_site(root)
    for stored in again.keys.earlier_files():
        again.keys.renew_file(stored)
    assert again.approvals.pinned(plan).state.approval == signed
    assert {f.code for f in again.check()} == {"CHECK-ORPHAN"}  # the files under the former keys, until they are swept
    with pytest.raises(PlanLocked):
        again.plans.save(plan, base_revision=2)
    again.close()


def test_a_sweep_leaves_pinned_files_alone(site, root):
    plan, doses = samples.plan_to_approve(site)
    samples.approve(site, plan, doses)
    before = sorted(pinned_files(site, root))
    site.sweep()
    assert sorted(pinned_files(site, root)) == before
    assert all(path.exists() for path in before)


def test_reading_an_approved_plan_asks_neither_the_caches_nor_the_doses_kept_with_plans(site, monkeypatch):
    plan, doses = samples.plan_to_approve(site)
    samples.approve(site, plan, doses)
    site.caches.put(attrs.evolve(doses[0], gy_per_mu=doses[0].gy_per_mu * np.float32(2)))

    def asked(*_given, **_named):
        raise AssertionError("asked")

    monkeypatch.setattr(type(site.caches), "get", asked)
    monkeypatch.setattr("ert.storage.plans.read_dose", asked)
    assert site.approvals.pinned(plan).doses[0].gy_per_mu.tobytes() == doses[0].gy_per_mu.tobytes()
