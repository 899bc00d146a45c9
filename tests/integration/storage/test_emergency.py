"""The sealed envelope: opens a site for reading, noted before anything is shown; lockout, renewal, crashes, damage."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt

import pytest

from ert.domain.account import FIRST_GRANT, Grant, Right
from ert.domain.emergency import EnvelopeState, checked_use
from ert.errors import InvalidSite, NotFound, Refused, SignInLocked, WrongKey
from ert.storage import documents, emergency, schema, slots
from ert.storage.assembly import SiteOptions
from ert.storage.maintenance import SiteCare
from ert.storage.printed_code import EMERGENCY, RECOVERY, format_code, new_secret, parse_code
from ert.storage.sites import Sites
from ert.storage.store_file import SANDBOX
from ert.storage.unlock import SLOTS, read_slots
from tests.integration.storage import samples

WHO, WHY = "Dr. Hedy Fromm", "Patient on the couch, provider away"
ANNA, FIRST, OWN = "Anna Bauer", "One-Time-Pw-1!", "Annas-Own-Pw-2@"


class Clock:
    """A clock the test winds."""

    def __init__(self):
        self.now = dt.datetime.now(dt.UTC)

    def __call__(self):
        self.now += dt.timedelta(milliseconds=1)
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gateway(clock, tmp_path):
    return Sites(SiteOptions(anchor_folder=tmp_path / "profile", clock=clock), kind=SANDBOX, kdf=samples.FAST)


@pytest.fixture
def root(tmp_path):
    return samples.copied_site(tmp_path / "site")


def administrator(gateway, root):
    return gateway.open(root, user_name=samples.LOGIN, password=samples.PASSWORD)


@pytest.fixture
def site(gateway, root):
    opened = administrator(gateway, root)
    yield opened
    opened.close()


def sealed(site) -> str:
    pending = site.emergency.prepare()
    code = pending.code
    pending.confirm(code)
    return code


def opened_with(gateway, root, code):
    return gateway.open_sealed(root, code=code, person=WHO, reason=WHY)


def wrong_code() -> str:
    return format_code(new_secret(), EMERGENCY)


def events(site):
    with site.records.database.read() as connection:
        site.records.trail.verify(connection)
        query = schema.history.select().order_by(schema.history.c.seq)
        rows = [dict(row) for row in connection.execute(query).mappings()]
    guard = site.records.guard
    return [
        (
            row["event"],
            row["actor"],
            documents.read_document(
                "change", guard.decrypt(row["change_ct"], table="history", row_id=str(row["seq"]), column="change_ct")
            ),
        )
        for row in rows
    ]


def emergency_slots(root, site):
    return [s for s in read_slots(root, site.site_id) if s.kind == slots.EMERGENCY]


def test_the_code_opens_the_site_for_reading_and_that_is_noted_before_anything_is_read(gateway, root, site):
    course = samples.import_one(site)
    plan = samples.plan_of(course)
    site.plans.save(plan, base_revision=0)
    code = sealed(site)
    with contextlib.closing(opened_with(gateway, root, code.lower().replace("-", " "))) as theirs:
        assert theirs.account.rights == {Right.OWN_SESSION, Right.VIEW, Right.EXPORT}
        assert (theirs.account.is_emergency, theirs.emergency.use) == (True, checked_use(WHO, WHY))
        assert theirs.plans.load(plan.id).plan == plan
        theirs.record_event("opened", record=plan.id)
        theirs.confirm_password(code)  # the lock screen
        with pytest.raises(WrongKey):
            theirs.confirm_password(wrong_code())
        envelope = site.emergency.envelope()
        actor = theirs.account.id
    noted = [(event, who, change) for event, who, change in events(site) if who == actor]
    assert [event for event, _, _ in noted] == ["emergency access", "opened"]
    assert noted[0][2] == {"person": WHO, "reason": WHY}
    assert actor == envelope.id
    assert (envelope.state, envelope.uses, envelope.person, envelope.reason) == (EnvelopeState.OPENED, 1, WHO, WHY)
    entries = site.activity.entries(limit=10)
    assert {e.user for e in entries if e.event in {"emergency access", "opened"}} == {"Emergency access"}
    assert site.check() == ()


@pytest.mark.parametrize(
    ("person", "reason"),
    [("", WHY), ("x", WHY), (WHO, ""), (WHO, "  short  "), (WHO, "y" * 301), ("z" * 81, WHY), (WHO, "a\x07" * 9)],
)
def test_without_a_name_and_a_reason_nothing_is_tried(gateway, root, site, person, reason):
    sealed(site)
    with pytest.raises(Refused):
        gateway.open_sealed(root, code=wrong_code(), person=person, reason=reason)
    assert not list((root / "keys" / "attempts").glob("*.log"))


def test_a_code_counts_once_it_was_typed_back(gateway, root, site):
    pending = site.emergency.prepare()
    code = pending.code
    with pytest.raises(InvalidSite, match="differs"):
        pending.confirm(wrong_code())
    with pytest.raises(WrongKey):
        opened_with(gateway, root, code)
    assert site.emergency.envelope() is None
    pending.discard()
    with pytest.raises(InvalidSite, match="discarded"):
        pending.confirm(code)


def test_the_code_opens_nothing_else_and_nothing_else_opens_it(gateway, root, tmp_path):
    made = tmp_path / "own"
    pending = gateway.prepare(made, site_name="S", admin_name=samples.LOGIN, password=samples.PASSWORD)
    recovery = pending.recovery_code
    pending.confirm(recovery)
    site = administrator(gateway, made)
    code = sealed(site)
    site.close()
    for name in ("Emergency access", "emergency", "\x00emergency", ""):
        for typed in (code, code.replace("-", "")):
            with pytest.raises(WrongKey):
                gateway.open(made, user_name=name, password=typed)
    with pytest.raises(WrongKey, match="recovery code, not its emergency code"):
        opened_with(gateway, made, recovery)
    with pytest.raises(WrongKey, match="emergency code, not its recovery code"):
        gateway.recover(made, recovery_code=code, user_name=samples.LOGIN, new_password=OWN)
    with pytest.raises(WrongKey, match="not the emergency code of this site"):  # another site's
        opened_with(gateway, root, code)


def test_wrong_codes_are_counted_noted_and_lock_until_a_new_envelope_is_sealed(gateway, root, site, clock):
    code = sealed(site)
    letter = "A" if code[0] != "A" else "B"
    for _ in range(30):  # slips are told by the checksum, and are no attempts
        with pytest.raises(WrongKey, match="checksum"):
            opened_with(gateway, root, letter + code[1:])
    for number in range(20):
        clock.now += dt.timedelta(seconds=1000)
        with pytest.raises(WrongKey, match="not the emergency code of this site"):
            opened_with(gateway, root, wrong_code())
        if number == 4:
            administrator(gateway, root).close()
            assert "5 wrong codes were tried" in site.emergency.envelope().notice
    clock.now += dt.timedelta(days=9)
    for typed in (code, wrong_code()):
        with pytest.raises(SignInLocked, match="20 failed"):
            opened_with(gateway, root, typed)
    for _ in range(2):  # noted once
        administrator(gateway, root).close()
    tried = [change["failed_attempts"] for event, _, change in events(site) if event == "emergency access tried"]
    assert tried == [5, 20]
    code = sealed(site)
    assert site.emergency.envelope().notice == ""
    opened_with(gateway, root, code).close()
    assert site.check() == ()


def test_attempts_before_the_right_code_stand_beside_it(gateway, root, site, clock):
    code = sealed(site)
    for _ in range(2):
        with pytest.raises(WrongKey):
            opened_with(gateway, root, wrong_code())
    opened_with(gateway, root, code).close()
    (change,) = [change for event, _, change in events(site) if event == "emergency access"]
    assert change["failed_attempts"] == 2


def test_administrators_are_told_until_it_is_renewed_or_withdrawn(gateway, root, site):
    code = sealed(site)
    assert site.emergency.envelope().notice == ""
    opened_with(gateway, root, code).close()
    opened_with(gateway, root, code).close()
    for _ in range(3):
        again = administrator(gateway, root)
        notice = again.emergency.envelope().notice
        assert WHO in notice
        assert WHY in notice
        assert "2 times" in notice
        again.close()
    sealed(site)
    assert site.emergency.envelope().notice == ""
    site.emergency.withdraw()
    assert site.emergency.envelope() is None
    with pytest.raises(NotFound):
        site.emergency.withdraw()


@pytest.mark.parametrize("is_renewed", [True, False])
def test_a_former_code_opens_nothing_also_if_its_slot_is_put_back(gateway, root, site, is_renewed):
    code = sealed(site)
    (slot,) = emergency_slots(root, site)
    path = root / SLOTS / f"{slot.slot_id}.json"
    kept, theirs = path.read_bytes(), opened_with(gateway, root, code)
    new = sealed(site) if is_renewed else ""
    if not is_renewed:
        site.emergency.withdraw()
    assert not path.exists()
    assert theirs.refresh_account().is_disabled  # who has it open is out at the next look
    assert theirs.account.rights == {Right.OWN_SESSION}
    theirs.close()
    with pytest.raises(WrongKey):
        opened_with(gateway, root, code)
    path.write_bytes(kept)
    with pytest.raises(Refused, match="renewed or withdrawn"):
        opened_with(gateway, root, code)
    if is_renewed:
        opened_with(gateway, root, new).close()  # beside the slot that was put back


def test_a_crash_while_it_is_renewed_leaves_the_former_code(gateway, root, site, monkeypatch):
    code = sealed(site)
    write = emergency.write_slot

    def write_and_die(*given):
        write(*given)
        raise KeyboardInterrupt

    pending = site.emergency.prepare()
    lost = pending.code
    with monkeypatch.context() as patch:
        patch.setattr(emergency, "write_slot", write_and_die)
        with pytest.raises(KeyboardInterrupt):
            pending.confirm(lost)
    assert len(emergency_slots(root, site)) == 2
    opened_with(gateway, root, code).close()
    with pytest.raises(Refused, match="renewed or withdrawn"):
        opened_with(gateway, root, lost)
    last = sealed(site)
    assert len(emergency_slots(root, site)) == 1
    opened_with(gateway, root, last).close()


def test_it_outlives_new_master_and_data_keys_and_takes_nobodys_password(gateway, root, site):
    code = sealed(site)
    site.accounts.add(ANNA, password=FIRST, grant=Grant())
    site.keys.renew_master_key()
    opened_with(gateway, root, code).close()
    site.close()
    gateway.renew_data_keys(
        root, user_name=samples.LOGIN, password=samples.PASSWORD, progress=lambda _fraction, _text: None
    )
    opened_with(gateway, root, code).close()
    gateway.open(root, user_name=ANNA, password=FIRST).close()
    again = administrator(gateway, root)
    state = again.keys.state()
    assert (state.passwords, state.recovery_codes, state.envelopes, state.unreadable) == (2, 1, 1, ())
    assert again.account.grant == FIRST_GRANT
    again.close()


def test_the_code_lies_nowhere(gateway, root, site, tmp_path):
    code = sealed(site)
    opened_with(gateway, root, code).close()
    secret = parse_code(code, EMERGENCY)
    forms = [code, code.replace("-", ""), secret.hex(), base64.b64encode(secret).decode()]
    wanted = [secret, *(form.encode() for form in forms), *(form.lower().encode() for form in forms)]
    with site.records.database.read() as connection:
        document = site.emergency._document(site.records.rows(connection, schema.emergency_envelope)[0])
    told = repr([events(site), document]).encode()
    files = [
        path.read_bytes() for folder in (root, tmp_path / "profile") for path in folder.rglob("*") if path.is_file()
    ]
    assert len(files) > 5
    assert not [form for form in wanted for data in (*files, told) if form in data]


def test_where_it_cannot_be_noted_it_opens_nothing(gateway, root, site, monkeypatch, tmp_path):
    code = sealed(site)
    backup = site.start_backup(tmp_path / "backups").finish()
    monkeypatch.setattr("ert.storage.site.read_only_reason", lambda *_given, **_more: "This site is open READ-ONLY.")
    with pytest.raises(Refused, match="noted in the history before"):
        opened_with(gateway, root, code)
    monkeypatch.undo()
    who = {"user_name": samples.LOGIN, "password": samples.PASSWORD}
    copy = tmp_path / "copy"
    SiteCare().restore(tmp_path / "backups", backup.backup_id, to=copy, progress=lambda _fraction, _text: None, **who)
    with pytest.raises(Refused, match="noted in the history before"):
        opened_with(gateway, copy, code)


@pytest.mark.folder_only
def test_a_damaged_envelope_slot_keeps_nobody_else_out_and_is_named(gateway, root, site, clock):
    code = sealed(site)
    (slot,) = emergency_slots(root, site)
    path = root / SLOTS / f"{slot.slot_id}.json"
    whole = path.read_bytes()
    for content in (b"", b"{", b"\xff" * 100, b'{"format": 1}', b'{"format": 99}', whole[:-40]):
        path.write_bytes(content)
        clock.now += dt.timedelta(seconds=1000)
        with pytest.raises(WrongKey, match="not the emergency code") as refused:
            opened_with(gateway, root, code)
        assert "1 key slots of this site cannot be read" in refused.value.hint
        administrator(gateway, root).close()
        assert site.keys.state().unreadable == (path.name,)
        assert [f.code for f in site.check()] == ["CHECK-SLOT"]
    path.write_bytes(whole)
    administrator(gateway, root).close()
    # the tries on a slot that could not be read count for no slot
    opened_with(gateway, root, code).close()


@pytest.mark.folder_only
def test_a_damaged_users_slot_keeps_the_envelope_open(gateway, root, site):
    code = sealed(site)
    site.accounts.add(ANNA, password=FIRST, grant=Grant())
    hers = next(s for s in read_slots(root, site.site_id) if s.login_tag == slots.login_tag(site.site_id, ANNA))
    (root / SLOTS / f"{hers.slot_id}.json").write_bytes(b"{")
    opened_with(gateway, root, code).close()
    sealed(site)
    site.emergency.withdraw()


def test_sheets_of_both_kinds_are_told_apart_by_their_checksum():
    for _ in range(200):
        secret = new_secret()
        for kind, other in ((EMERGENCY, RECOVERY), (RECOVERY, EMERGENCY)):
            assert parse_code(format_code(secret, kind), kind) == secret
            with pytest.raises(WrongKey):
                parse_code(format_code(secret, kind), other)
