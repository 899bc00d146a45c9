"""Several users at one encrypted site: added, disabled, locked out, never all gone; old passwords are dead."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import shutil
import threading

import pytest

from ert.domain.account import FIRST_GRANT, Feature, Grant, Level
from ert.domain.password import PasswordPolicy, PasswordRule
from ert.errors import ErtError, InvalidSite, NotPermitted, Refused, SignInLocked, WrongKey
from ert.storage import documents, schema, slots, unlock, users
from ert.storage.assembly import SiteOptions
from ert.storage.attempts import FOLDER, Attempts, Failures, wait_before_next_s
from ert.storage.passwords import KdfParameters
from ert.storage.sites import Sites
from ert.storage.slots import PASSWORD as PASSWORD_KIND
from ert.storage.slots import login_tag
from ert.storage.store_file import SANDBOX, read_store_file
from ert.storage.unlock import SLOTS, decoy_cost, read_slots, unlock_with_password
from tests.integration.storage import samples

ANNA, FIRST, OWN = "Anna Bauer", "One-Time-Pw-1!", "Annas-Own-Pw-2@"
NOON = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC)


class Clock:
    """A clock the test winds."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now

    def pass_s(self, seconds):
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def root(tmp_path):
    return samples.copied_site(tmp_path / "site")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gateway(clock, tmp_path):
    clock.now = dt.datetime.now(dt.UTC)  # slots of the copied site were made by the real clock
    return Sites(SiteOptions(anchor_folder=tmp_path / "profile", clock=clock), kind=SANDBOX, kdf=samples.FAST)


@pytest.fixture
def site(root, gateway):
    opened = gateway.open(root, user_name=samples.LOGIN, password=samples.PASSWORD)
    yield opened
    opened.close()


def signed_in(gateway, root, name=ANNA, password=OWN):
    return gateway.open(root, user_name=name, password=password)


def with_anna(gateway, root, site, grant=None):
    """Anna's account, her one-time password changed."""
    account = site.accounts.add(ANNA, password=FIRST, grant=grant or Grant())
    hers = signed_in(gateway, root, password=FIRST)
    hers.accounts.change_own_password(FIRST, OWN)
    hers.close()
    return account


def events(site):
    with site.records.database.read() as connection:
        site.records.trail.verify(connection)
        rows = [dict(r) for r in connection.execute(schema.history.select().order_by(schema.history.c.seq)).mappings()]
    return [
        (
            r["event"],
            r["actor"],
            documents.read_document(
                "change",
                site.records.guard.decrypt(r["change_ct"], table="history", row_id=str(r["seq"]), column="change_ct"),
            ),
        )
        for r in rows
    ]


def slot_of(root, name):
    store_id = read_store_file(root)[0].store_id
    (slot,) = [s for s in read_slots(root, store_id) if s.login_tag == login_tag(store_id, name)]
    return root / SLOTS / f"{slot.slot_id}.json"


def test_the_first_administrator_has_every_right(site):
    assert site.account.grant == FIRST_GRANT
    assert (site.account.is_disabled, site.account.must_change_password) == (False, False)


def test_a_new_user_signs_in_with_a_one_time_password_and_has_to_change_it(gateway, root, site):
    grant = Grant(level=Level.RESEARCH, features=frozenset({Feature.PLAN_APPROVAL}))
    site.accounts.add(f"  {ANNA} ", password=FIRST, grant=grant)
    hers = signed_in(gateway, root, name="ANNA bauer", password=FIRST)
    assert (hers.account.name, hers.account.grant) == (ANNA, grant)
    assert hers.account.must_change_password
    assert {r.value for r in hers.account.rights} == {"own_session", "own_account"}
    with pytest.raises(WrongKey, match="password is wrong"):
        hers.accounts.change_own_password("Not-Hers-99!", OWN)
    with pytest.raises(InvalidSite, match="present one"):
        hers.accounts.change_own_password(FIRST, FIRST)
    with pytest.raises(InvalidSite, match="special|one of"):
        hers.accounts.change_own_password(FIRST, "Password1234")
    hers.accounts.change_own_password(FIRST, OWN)
    assert not hers.refresh_account().must_change_password
    hers.close()
    with pytest.raises(WrongKey):
        signed_in(gateway, root, password=FIRST)
    hers = signed_in(gateway, root)
    assert "view" in {r.value for r in hers.account.rights}
    hers.close()


def test_each_user_has_a_signing_key_and_saves_under_the_own_name(gateway, root, site):
    with_anna(gateway, root, site)
    hers = signed_in(gateway, root)
    course = samples.import_one(hers)
    assert hers.plans.save(samples.plan_of(course), base_revision=0).saved_by == ANNA
    hers.close()
    slots = [s for s in read_slots(root, site.site_id) if s.kind == PASSWORD_KIND]
    assert len({s.public_ed25519 for s in slots}) == len({s.salt for s in slots}) == 2


def test_changing_a_password_keeps_the_signing_key_and_a_reset_replaces_it(gateway, root, site):
    account = with_anna(gateway, root, site)

    def key():
        (slot,) = [s for s in read_slots(root, site.site_id) if s.user_id == account.id]
        return slot.public_ed25519

    first = key()
    hers = signed_in(gateway, root)
    hers.accounts.change_own_password(OWN, "Another-Pw-3#")
    hers.close()
    assert key() == first
    site.accounts.reset_password(account.id, FIRST)
    assert key() != first
    with pytest.raises(WrongKey):
        signed_in(gateway, root, password="Another-Pw-3#")
    hers = signed_in(gateway, root, password=FIRST)
    assert hers.account.must_change_password
    hers.close()


def test_a_disabled_user_is_out_and_comes_back_with_the_same_password(gateway, root, site):
    account = with_anna(gateway, root, site)
    hers = signed_in(gateway, root)
    copy = (slot_of(root, ANNA), slot_of(root, ANNA).read_bytes())
    site.accounts.disable(account.id)
    assert hers.refresh_account().is_disabled
    with pytest.raises(WrongKey):
        hers.confirm_password(OWN)
    hers.close()
    assert not copy[0].exists()
    with pytest.raises(WrongKey):
        signed_in(gateway, root)
    copy[0].write_bytes(copy[1])  # who kept the file puts it back
    with pytest.raises(Refused, match="disabled"):
        signed_in(gateway, root)
    copy[0].unlink()
    with pytest.raises(Refused, match="disabled"):
        site.accounts.reset_password(account.id, FIRST)
    site.accounts.enable(account.id)
    signed_in(gateway, root).close()
    with pytest.raises(Refused, match="enabled already"):
        site.accounts.enable(account.id)


def test_a_replaced_slot_put_back_opens_nothing(gateway, root, site):
    account = with_anna(gateway, root, site)
    old = slot_of(root, ANNA).read_bytes()
    site.accounts.reset_password(account.id, FIRST)
    slot_of(root, ANNA).write_bytes(old)
    with pytest.raises(WrongKey, match="name or password"):
        signed_in(gateway, root)


@pytest.mark.folder_only
def test_a_crash_between_slot_and_row_leaves_the_new_password_and_is_put_in_order(gateway, root, site, tmp_path):
    account = with_anna(gateway, root, site)
    before = tmp_path / "before.db"
    shutil.copy(root / "site.db", before)
    site.accounts.reset_password(account.id, FIRST)
    shutil.copy(before, root / "site.db")  # the row was never committed
    again = Sites(SiteOptions(anchor_folder=None), kind=SANDBOX, kdf=samples.FAST)
    hers = again.open(root, user_name=ANNA, password=FIRST)
    assert "password slot noted" in [event for event, _, _ in events(hers)]
    hers.close()
    hers = again.open(root, user_name=ANNA, password=FIRST)
    assert [event for event, _, _ in events(hers)].count("password slot noted") == 1
    hers.close()


def test_the_last_administrator_cannot_be_removed(gateway, root, site):
    me = site.account.id
    for attempt in (
        lambda: site.accounts.disable(me),
        lambda: site.accounts.set_grant(me, Grant(level=Level.ELEVATED)),
    ):
        with pytest.raises(Refused, match="last administrator"):
            attempt()
    anna = with_anna(gateway, root, site, Grant(is_administrator=True))
    site.accounts.disable(anna.id)
    with pytest.raises(Refused, match="last administrator"):  # a disabled one does not count
        site.accounts.disable(me)
    site.accounts.enable(anna.id)
    site.accounts.set_grant(me, Grant())
    with pytest.raises(Refused, match="last administrator"):
        site.accounts.set_grant(anna.id, Grant())


def test_every_change_is_in_the_history_with_who_and_what(gateway, root, site):
    anna = with_anna(gateway, root, site)
    site.accounts.set_grant(anna.id, Grant(features=frozenset({Feature.FACILITY_CONFIGURATION})))
    site.accounts.disable(anna.id)
    site.accounts.enable(anna.id)
    site.accounts.reset_password(anna.id, FIRST)
    me = site.account.id
    assert [(event, actor) for event, actor, _ in events(site)[3:]] == [
        ("user added", me), ("signed in", anna.id), ("password changed", anna.id), ("user rights changed", me),
        ("user disabled", me), ("user enabled", me), ("password reset by an administrator", me),
    ]  # fmt: skip
    change = next(change for event, _, change in events(site) if event == "user rights changed")
    assert change == {"before": "Default", "after": "Default, Facility Configuration"}
    assert [f.code for f in site.check()] == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "two\nlines", "bell\x07"])
def test_names_that_cannot_be_read_are_refused(site, name):
    with pytest.raises(InvalidSite):
        site.accounts.add(name, password=FIRST, grant=Grant())


def test_a_name_is_taken_in_any_spelling(site):
    with pytest.raises(InvalidSite, match="already"):
        site.accounts.add(samples.LOGIN.upper(), password=FIRST, grant=Grant())
    assert [a.name for a in site.accounts.accounts()] == [samples.LOGIN]


def test_one_malformed_slot_locks_nobody_else_out_and_the_check_names_it(gateway, root, site):
    with_anna(gateway, root, site)
    hers = slot_of(root, ANNA)
    for content in (b"", b"{", b"\xff" * 100, b'{"format": 1}', b'{"format": 99}', b"[" * 5000):
        hers.write_bytes(content)
        again = gateway.open(root, user_name=samples.LOGIN, password=samples.PASSWORD)
        assert [(f.code, f.subject) for f in again.check(level=2)] == [("CHECK-SLOT", hers.name)]
        again.close()
        with pytest.raises(WrongKey, match="administrator reset it"):
            signed_in(gateway, root)
        shutil.rmtree(root / FOLDER)
        shutil.rmtree(next((root.parent / "profile").glob("*.attempts")))


def fail(gateway, root, clock, name=ANNA, times=1):
    for _ in range(times):
        clock.pass_s(901)
        with pytest.raises(WrongKey, match="User name or password is wrong"):
            gateway.open(root, user_name=name, password="Wrong-Pw-0!")


def test_twenty_failures_lock_and_200_more_tries_try_nothing(gateway, root, site, clock):
    anna = with_anna(gateway, root, site)
    fail(gateway, root, clock, times=20)
    for _ in range(200):
        clock.pass_s(3600)
        with pytest.raises(SignInLocked, match="locked after 20"):
            signed_in(gateway, root)  # with the right password
    # A program started anew, on a workstation that never saw it, and on this one after the site's count was removed.
    elsewhere = Sites(SiteOptions(anchor_folder=None, clock=clock), kind=SANDBOX, kdf=samples.FAST)
    with pytest.raises(SignInLocked):
        elsewhere.open(root, user_name=ANNA, password=OWN)
    shutil.rmtree(root / FOLDER)
    with pytest.raises(SignInLocked):
        signed_in(gateway, root)
    gateway.open(root, user_name=samples.LOGIN, password=samples.PASSWORD).close()  # nobody else is locked
    site.accounts.reset_password(anna.id, FIRST)
    signed_in(gateway, root, password=FIRST).close()


def test_the_recovery_code_opens_a_locked_administrator(gateway, tmp_path, clock):
    root = tmp_path / "own"
    pending = gateway.prepare(root, site_name="S", admin_name=ANNA, password=OWN)
    code = pending.recovery_code
    pending.confirm(code)
    fail(gateway, root, clock, times=20)
    clock.pass_s(1)
    gateway.recover(root, recovery_code=code, user_name=ANNA, new_password=FIRST).close()
    signed_in(gateway, root, password=FIRST).close()


def test_an_unknown_user_is_treated_like_a_known_one(gateway, root, site, clock):
    with_anna(gateway, root, site)
    said = {}
    for name in (ANNA, "Nobody Here"):
        fail(gateway, root, clock, name=name, times=3)
        with pytest.raises(SignInLocked) as waiting:
            gateway.open(root, user_name=name, password=OWN)
        fail(gateway, root, clock, name=name, times=17)
        with pytest.raises(SignInLocked) as locked:
            gateway.open(root, user_name=name, password=OWN)
        said[name] = [str(waiting.value), str(locked.value)]
    assert said[ANNA] == said["Nobody Here"]
    slots = read_slots(root, site.site_id)
    assert decoy_cost(slots) == samples.FAST  # the same Argon2id run as for those who are known


def work_of(gateway, root, name, monkeypatch):
    """The Argon2id runs of one wrong try: cost of each."""
    costs, real = [], unlock.derive_password_key

    def counted(password, *, salt, parameters):
        costs.append(parameters)
        return real(password, salt=salt, parameters=parameters)

    with monkeypatch.context() as patch:
        for module in (unlock, slots):
            patch.setattr(module, "derive_password_key", counted)
        with pytest.raises(WrongKey):
            gateway.open(root, user_name=name, password="Wrong-Pw-0!")
    return costs


def test_an_unknown_user_costs_the_same_work_as_a_known_one(gateway, root, site, clock, monkeypatch):
    with_anna(gateway, root, site)
    known, unknown = (work_of(gateway, root, name, monkeypatch) for name in (ANNA, "Nobody Here"))
    assert known == unknown == [samples.FAST]
    # Negative control: where an unknown user cost less, the count would tell.
    monkeypatch.setattr(unlock, "decoy_cost", lambda _found: KdfParameters(memory_kib=8, iterations=2, lanes=1))
    clock.pass_s(901)
    assert work_of(gateway, root, "Nobody Here", monkeypatch) != known


def test_unlocking_waits_for_no_other_thread_and_takes_the_password_of_today(gateway, root, site):
    account = with_anna(gateway, root, site)
    hers, said = signed_in(gateway, root), []

    def confirm(password):
        try:
            said.append(hers.confirm_password(password))
        except WrongKey as error:
            said.append(error.sentence)

    def elsewhere(password):
        thread = threading.Thread(target=confirm, args=(password,))
        thread.start()
        thread.join(timeout=60)
        return said.pop()

    assert elsewhere(OWN) is None
    old = slot_of(root, ANNA).read_bytes()
    site.accounts.reset_password(account.id, FIRST)
    assert "wrong" in elsewhere(OWN)
    assert elsewhere(FIRST) is None
    assert hers.refresh_account().must_change_password
    slot_of(root, ANNA).write_bytes(old)  # the old file put back, after the row was looked at again
    assert "wrong" in elsewhere(OWN)
    hers.close()


def test_a_clock_set_back_makes_no_attempt_free(gateway, root, site, clock):
    with_anna(gateway, root, site)
    clock.now -= dt.timedelta(days=400)
    fail(gateway, root, clock, times=20)
    clock.pass_s(901)
    with pytest.raises(SignInLocked):
        signed_in(gateway, root)


def test_failures_before_a_right_password_are_told_in_the_history_and_forgotten(gateway, root, site, clock):
    with_anna(gateway, root, site)
    fail(gateway, root, clock, times=5)
    clock.pass_s(901)
    signed_in(gateway, root).close()
    assert events(site)[-1][2] == {"detail": "after 5 failed attempts"}
    fail(gateway, root, clock, times=1)
    clock.pass_s(1)
    signed_in(gateway, root).close()


def test_unlocking_counts_like_signing_in(gateway, root, site, clock):
    with_anna(gateway, root, site)
    hers = signed_in(gateway, root)
    for _ in range(3):
        with pytest.raises(WrongKey):
            hers.confirm_password("Wrong-Pw-0!")
    with pytest.raises(SignInLocked, match="Wait 8 seconds"):
        hers.confirm_password(OWN)
    clock.pass_s(9)
    hers.confirm_password(OWN)
    hers.close()


def at_once(gateway, root, password, *, people):
    """Sign in so many times to one account at the same moment; give what came of each."""
    together, said = threading.Barrier(people), []

    def sign_in():
        together.wait(60)
        try:
            unlock_with_password(root, login=ANNA, password=password, attempts=gateway(root)).vault.close()
        except ErtError as error:
            said.append(type(error))
        else:
            said.append(None)

    crowd = [threading.Thread(target=sign_in) for _ in range(people)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join(timeout=60)
    return said


def test_right_passwords_at_the_same_moment_are_no_failures(gateway, root, site, tmp_path):
    """Eight at once: each stands in the count while it is tried, and only one is tried at a time."""
    with_anna(gateway, root, site)

    def counting(place):
        return Attempts(place, tmp_path / "profile", lambda: NOON)

    assert at_once(counting, root, OWN, people=8) == [None] * 8
    assert list((root / FOLDER).glob("*.log")) == []


def test_wrong_passwords_at_the_same_moment_are_counted_each(gateway, root, site, tmp_path):
    """Asking many times at once buys no free attempts: three are tried, five are told to wait."""
    with_anna(gateway, root, site)

    def counting(place):
        return Attempts(place, tmp_path / "profile", lambda: NOON)

    said = at_once(counting, root, "Wrong-Pw-0!", people=8)
    assert sorted(error.__name__ for error in said) == ["SignInLocked"] * 5 + ["WrongKey"] * 3


def test_without_turns_attempts_that_are_not_decided_lock_the_account(tmp_path):
    """The control: begun together, the fourth is told to wait though none has failed."""
    attempts = Attempts(tmp_path, None, lambda: NOON)
    assert [attempts.begin("id", "ab", "mark") for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SignInLocked):
        attempts.begin("id", "ab", "mark")


@pytest.mark.parametrize(
    ("count", "passed_s", "wait_s"),
    [(0, 0, 0), (2, 0, 0), (3, 0, 8), (3, 3, 5), (3, 8, 0), (5, 1, 31), (9, 0, 512), (10, 0, 900), (19, 100, 800),
     (19, 900, 0), (5, -30, 32), (19, -901, 0), (19, -1e7, 0)],
)  # fmt: skip
def test_the_wait_doubles_up_to_a_quarter_of_an_hour_and_no_clock_makes_it_longer(count, passed_s, wait_s):
    failures = Failures(count=count, last=NOON)
    assert wait_before_next_s(failures, NOON + dt.timedelta(seconds=passed_s)) == pytest.approx(wait_s)


def test_damaged_counts_are_failures_not_freedom(tmp_path, clock):
    attempts = Attempts(tmp_path, None, clock)
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "tag.log").write_bytes(b"\xff\xfe\n" * 20)
    with pytest.raises(SignInLocked):
        attempts.begin("id", "tag", "mark")


@pytest.mark.folder_only
def test_only_an_administrator_accepts_an_older_state(gateway, root, site, tmp_path):
    with_anna(gateway, root, site)
    old = tmp_path / "old.db"
    shutil.copy(root / "site.db", old)
    site.record_event("something happened")
    site.close()
    shutil.copy(old, root / "site.db")
    with pytest.raises(NotPermitted, match="administrator"):
        gateway.open(root, user_name=ANNA, password=OWN, accept_restore_reason="because")
    gateway.open(root, user_name=samples.LOGIN, password=samples.PASSWORD, accept_restore_reason="restored").close()


def test_users_of_a_site_from_before_levels_are_administrators(root):
    content = {"level": "administrator", "public_ed25519": "ab" * 32}
    data = documents.write_document("user", content)
    versions = dict(documents.VERSIONS) | {"user": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "VERSIONS", versions)
        data = documents.write_document("user", content)
    read = documents.read_document("user", data)
    assert (read["level"], read["is_administrator"], read["is_disabled"]) == ("elevated", True, False)
    assert sorted(read["features"]) == sorted(f.value for f in Feature)


def test_two_administrators_cannot_remove_each_other_at_once(gateway, root, site):
    anna = with_anna(gateway, root, site, Grant(is_administrator=True))
    me, together, said = site.account.id, threading.Barrier(2), []

    def demote(name, password, other):
        mine = gateway.open(root, user_name=name, password=password)
        together.wait(timeout=30)
        try:
            mine.accounts.set_grant(other, Grant())
            said.append("done")
        except Refused as error:
            said.append(error.sentence)
        mine.close()

    pair = [
        threading.Thread(target=demote, args=(samples.LOGIN, samples.PASSWORD, anna.id)),
        threading.Thread(target=demote, args=(ANNA, OWN, me)),
    ]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join(timeout=60)
    assert sorted("last administrator" in sentence for sentence in said) == [False, True]
    assert sum(a.grant.is_administrator for a in site.accounts.accounts()) == 1


@pytest.mark.folder_only
def test_neither_names_nor_passwords_lie_in_the_folder_or_the_profile(gateway, root, site, clock, caplog):
    anna = with_anna(gateway, root, site)
    site.accounts.reset_password(anna.id, FIRST)
    fail(gateway, root, clock, times=2)
    site.accounts.disable(anna.id)
    site.close()
    everything = b"".join(
        p.read_bytes() for folder in (root, root.parent / "profile") for p in folder.rglob("*") if p.is_file()
    )
    assert len(everything) > 100_000
    for secret in (ANNA, ANNA.casefold(), FIRST, OWN, samples.LOGIN, samples.PASSWORD):
        for form in (secret.encode(), secret.encode("utf-16-le"), base64.b64encode(secret.encode()).rstrip(b"=")[:-1]):
            assert form not in everything
        assert secret not in caplog.text


def test_a_site_of_version_three_opens_with_its_administrator_in_every_right(tmp_path):
    root = tmp_path / "old"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "SCHEMA_VERSION", 3)
        patch.setattr(schema, "MIGRATION_HEAD", "0003")
        patch.setattr(documents, "VERSIONS", dict(documents.VERSIONS) | {"user": 1})
        patch.setattr(
            users, "_content",
            lambda _account, *, public_ed25519, **_: {
                "level": "administrator", "public_ed25519": public_ed25519.hex(),
            },
        )  # fmt: skip
        code = samples.make_site(root)
    opened = samples.open_site(root)
    assert opened.account.grant == FIRST_GRANT
    seen = [event for event, _, _ in events(opened)]
    assert seen == ["site created", "user added", "database brought up to date", "password slot noted", "signed in"]
    assert [f.code for f in opened.check()] == []
    opened.close()
    again = samples.sites().recover(root, recovery_code=code, user_name=samples.LOGIN, new_password=OWN)
    assert again.account.grant == FIRST_GRANT
    again.close()
    with pytest.raises(WrongKey):
        samples.open_site(root)


def test_a_one_time_password_runs_out_and_says_when(gateway, root, site, clock):
    site.accounts.add(ANNA, password=FIRST, grant=Grant())
    clock.pass_s(72 * 3600 - 60)
    signed_in(gateway, root, password=FIRST).close()  # looked, did not change it
    clock.pass_s(120)
    with pytest.raises(Refused, match=r"This one-time password ran out on .*; it was good for 72 hours") as refused:
        signed_in(gateway, root, password=FIRST)
    assert "Ask an administrator" in refused.value.hint
    (anna,) = [account for account in site.accounts.accounts() if account.name == ANNA]
    site.accounts.reset_password(anna.id, "Second-Time-Pw-2!")
    hers = signed_in(gateway, root, password="Second-Time-Pw-2!")
    hers.accounts.change_own_password("Second-Time-Pw-2!", OWN)
    hers.close()
    clock.pass_s(1000 * 3600)
    signed_in(gateway, root).close()  # her own does not run out


def test_a_site_chooses_what_it_asks_of_passwords(gateway, root, site, clock):
    phrase = "purple kettle on a roof"
    with pytest.raises(InvalidSite, match="an upper-case letter, a digit"):
        site.accounts.add(ANNA, password=phrase, grant=Grant())
    site.password_rules.save(PasswordRule(policy=PasswordPolicy.NIST, one_time_hours=1))
    with pytest.raises(InvalidSite, match="15 to 128 characters"):
        site.accounts.add(ANNA, password="Short-Pw-1!", grant=Grant())
    with pytest.raises(InvalidSite, match="made of a common word"):
        site.accounts.add(ANNA, password="anna bauer clinic", grant=Grant())
    site.accounts.add(ANNA, password=phrase, grant=Grant())
    hers = signed_in(gateway, root, password=phrase)
    assert hers.password_rules.read() == PasswordRule(policy=PasswordPolicy.NIST, one_time_hours=1)
    hers.accounts.change_own_password(phrase, "ﬁve lemons in a hat")
    hers.close()
    signed_in(gateway, root, password="five lemons in a hat").close()  # the ligature is two letters
    (changed,) = [change for event, _, change in events(site) if event == "password rule changed"]
    assert changed["before"].startswith("10 to 128 characters, a lower-case letter")
    assert changed["after"].startswith("15 to 128 characters, no common word")
    assert site.check() == ()


def test_the_recovery_code_sets_a_password_of_the_sites_own_rule(gateway, tmp_path):
    code = samples.make_site(tmp_path / "other")
    site = samples.open_site(tmp_path / "other")
    site.password_rules.save(PasswordRule(policy=PasswordPolicy.NIST))
    site.close()
    recover = functools.partial(
        samples.sites().recover, tmp_path / "other", recovery_code=code, user_name=samples.LOGIN
    )
    with pytest.raises(InvalidSite, match="15 to 128"):
        recover(new_password="Polonium-84!")
    recover(new_password="kettles and lemons and roofs").close()


def test_the_name_of_the_site_or_its_administrator_is_no_password_of_a_new_site(tmp_path):
    for password in ("Northern-1234!", "Wilhelm-1234#"):
        with pytest.raises(InvalidSite, match="made of a common word"):
            samples.sites().prepare(
                tmp_path / "new", site_name="Northern Clinic", admin_name="Wilhelm", password=password
            )
