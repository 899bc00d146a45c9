"""Workstation slots on real sites: what opens, what no longer does, and what a renewal of keys leaves."""

from __future__ import annotations

import json
import shutil

import pytest

from ert.domain.account import Grant
from ert.domain.provider import Identity, ProviderSettings
from ert.errors import BadTag, InvalidSite, KeyStoreFailed, NotASite, NotFound, Refused, WrongKey
from ert.storage.assembly import SiteOptions
from ert.storage.passwords import KdfParameters
from ert.storage.sites import Sites
from ert.storage.store_file import SANDBOX
from ert.storage.workstation_keys import unlock_with_workstation
from tests.identity_people import MemoryKeyStore

ADMIN, PASSWORD, SUBJECT = "m.curie", "Radium-1898!", "248289761001"
FAST = KdfParameters(memory_kib=8, iterations=1, lanes=1)
SETTINGS = ProviderSettings(name="Clinic ID", issuer="https://id.example", client_id="ert")
WHO = Identity(issuer=SETTINGS.issuer, subject=SUBJECT, name="anna")


def gateway(store):
    return Sites(SiteOptions(key_store=store), kind=SANDBOX, kdf=FAST)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "site"
    pending = gateway(MemoryKeyStore()).prepare(path, site_name="Test", admin_name=ADMIN, password=PASSWORD)
    pending.confirm(pending.recovery_code)
    return path


@pytest.fixture
def store():
    return MemoryKeyStore()


@pytest.fixture
def path(template, tmp_path):
    return shutil.copytree(template, tmp_path / "site")


@pytest.fixture
def administer(path, store):
    def work(fn, key_store=store):
        site = gateway(key_store).open(path, user_name=ADMIN, password=PASSWORD)
        try:
            return fn(site)
        finally:
            site.close()

    return work


@pytest.fixture
def enrolled(administer):
    def make_ready(site):
        site.identities.save_provider(SETTINGS)
        site.identities.add_account("anna", grant=Grant(), subject=SUBJECT)
        return site.workstations.enrol("console")

    return administer(make_ready)


def slot_files(path):
    files = {p: json.loads(p.read_text()) for p in (path / "keys/slots").glob("*.json")}
    return {p: slot for p, slot in files.items() if slot["kind"] == "workstation"}


def test_the_slot_holds_no_secret_and_the_secret_lies_nowhere_in_the_site(enrolled, path, store):
    ((file, slot),) = slot_files(path).items()
    assert file.stem == enrolled.id
    assert (slot["user_id"], slot["login_tag"], slot["sealed_private"], slot["kdf"]) == ("", "", "", None)
    (entry,) = store.kept.values()
    secret = entry.partition(" ")[2]
    assert len(bytes.fromhex(secret)) == 32
    for place in path.rglob("*"):
        data = place.read_bytes() if place.is_file() else b""
        assert bytes.fromhex(secret) not in data
        assert secret.encode() not in data
        assert b"console" not in data
        assert SUBJECT.encode() not in data


def test_it_opens_here_and_nowhere_else(enrolled, path, store):
    gateway(store).open_as(path, WHO).close()
    with pytest.raises(Refused, match="not enrolled"):
        gateway(MemoryKeyStore()).open_as(path, WHO)
    other = MemoryKeyStore()
    (name,) = store.kept
    other.write(name, f"{enrolled.id} {bytes(32).hex()}")
    with pytest.raises(WrongKey, match="does not open"):
        gateway(other).open_as(path, WHO)
    for nonsense in ("", "x", f"{enrolled.id} zz", f"{enrolled.id} 00", "other 00"):
        other.write(name, nonsense)
        with pytest.raises(Refused, match="not enrolled"):
            unlock_with_workstation(path, other)


def test_a_removed_workstation_is_out_even_if_its_slot_is_put_back(enrolled, administer, path, store):
    kept, ((file, _),) = dict(store.kept), slot_files(path).items()
    data = file.read_bytes()
    administer(lambda site: site.workstations.remove(enrolled.id))
    assert not file.exists()
    assert store.kept == {}
    assert gateway(store).way_in(path) is None
    file.write_bytes(data)
    store.kept |= kept
    with pytest.raises(Refused, match="was removed"):
        gateway(store).open_as(path, WHO)
    with pytest.raises(NotFound):
        administer(lambda site: site.workstations.remove(enrolled.id))
    assert administer(lambda site: site.workstations.workstations()) == ()


def test_a_new_master_key_takes_enrolled_workstations_along_and_leaves_copies_behind(
    enrolled, administer, path, store, tmp_path
):
    ((file, before),) = slot_files(path).items()
    copy = shutil.copytree(path, tmp_path / "copy")
    administer(lambda site: site.keys.renew_master_key())
    after = slot_files(path)[file]
    assert after["generation"] == before["generation"] + 1
    gateway(store).open_as(path, WHO).close()
    # A copy of the old slot opens nothing once its ring is gone.
    shutil.copy(copy / "keys/slots" / file.name, file)
    with pytest.raises(NotASite, match="ring"):
        gateway(store).open_as(path, WHO)


def test_new_data_keys_take_them_along_too(enrolled, path, store):
    gateway(store).renew_data_keys(path, user_name=ADMIN, password=PASSWORD, progress=lambda _f, _t: None)
    site = gateway(store).open_as(path, WHO)
    assert site.user_name == "anna"
    assert [f.code for f in site.check(level=2)] == []
    site.close()


def test_enrolling_again_ends_the_former_slot(enrolled, administer, path, store):
    again = administer(lambda site: site.workstations.enrol("console"))
    assert [p.stem for p in slot_files(path)] == [again.id]
    assert again.id != enrolled.id
    (found,) = administer(lambda site: site.workstations.workstations())
    assert (found.id, found.name, found.enrolled_by, found.is_here) == (again.id, "console", ADMIN, True)
    other = MemoryKeyStore()
    administer(lambda site: site.workstations.enrol("second"), other)
    assert [w.is_here for w in administer(lambda site: site.workstations.workstations())] == [True, False]
    gateway(other).open_as(path, WHO).close()
    gateway(store).open_as(path, WHO).close()


def test_a_key_store_that_fails_leaves_the_site_as_it_was(administer, path, store):
    def broken(_name, _secret):
        raise KeyStoreFailed("No.")

    store.write = broken
    with pytest.raises(KeyStoreFailed):
        administer(lambda site: site.workstations.enrol("console"))
    assert slot_files(path) == {}
    assert administer(lambda site: site.workstations.workstations()) == ()
    with pytest.raises(InvalidSite):
        administer(lambda site: site.workstations.enrol(" "))


def test_a_slot_made_without_the_keys_is_refused(enrolled, path, store):
    ((file, slot),) = slot_files(path).items()
    slot["created_utc"] = "2020-01-01T00:00:00+00:00"
    file.write_text(json.dumps(slot, sort_keys=True, separators=(",", ":")))
    with pytest.raises(BadTag, match="without its keys"):
        gateway(store).open_as(path, WHO)


def test_links_are_one_to_one_and_can_be_taken_away(enrolled, administer, path, store):
    def work(site):
        me = site.account.id
        with pytest.raises(InvalidSite, match="belongs to 'anna' already"):
            site.identities.link(me, SUBJECT)
        site.identities.link(me, "curie-1")
        site.identities.link(me, "curie-2")
        with pytest.raises(InvalidSite, match="ASCII"):
            site.identities.link(me, "curié")
        with pytest.raises(InvalidSite, match="named 'ANNA'"):
            site.identities.add_account("ANNA", grant=Grant(), subject="new")
        with pytest.raises(InvalidSite, match="needs a subject"):
            site.identities.add_account("new", grant=Grant(), subject=" ")
        assert {link.subject for link in site.identities.links()} == {SUBJECT, "curie-2"}
        site.identities.link(me, "")
        events = [entry.event for entry in site.activity.entries(limit=3)]
        assert events[0] == "user's link to the sign-in provider removed"

    administer(work)
    with pytest.raises(Refused, match="subject 'curie-2'"):
        gateway(store).open_as(path, Identity(issuer=SETTINGS.issuer, subject="curie-2"))
    with pytest.raises(Refused):  # subjects are compared to the letter
        gateway(store).open_as(path, Identity(issuer=SETTINGS.issuer, subject=SUBJECT + " "))
    administer(lambda site: site.identities.link(site.account.id, "curie-2"))
    site = gateway(store).open_as(path, Identity(issuer=SETTINGS.issuer, subject="curie-2"))
    assert site.user_name == ADMIN  # who has a password too
    site.confirm_password(PASSWORD)
    site.close()


def test_a_provider_that_was_exchanged_knows_nobody_of_the_former_one(enrolled, administer, path, store):
    other = ProviderSettings(name="Other", issuer="https://other.example", client_id="ert")
    administer(lambda site: site.identities.save_provider(other))
    with pytest.raises(Refused, match="no account of this site"):
        gateway(store).open_as(path, Identity(issuer=other.issuer, subject=SUBJECT))


def test_an_account_without_a_password_gets_one_by_a_reset(enrolled, administer, path, store):
    def reset(site):
        (anna,) = (a for a in site.accounts.accounts() if a.name == "anna")
        assert site.accounts.have_password().user_ids == {site.account.id}
        site.accounts.reset_password(anna.id, "One-Time-Pw-1!")

    administer(reset)
    site = gateway(store).open(path, user_name="anna", password="One-Time-Pw-1!")
    assert site.account.must_change_password
    site.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"issuer": "http://id.example"}, "no address"),
        ({"issuer": "https://"}, "no address"),
        ({"issuer": "https://me:pw@id.example"}, "no address"),
        ({"issuer": "https://id.example?x=1"}, "no address"),
        ({"issuer": "https://id.example#x"}, "no address"),
        ({"name": ""}, "name is missing"),
        ({"client_id": "a\nb"}, "client id"),
        ({"scopes": ("profile",)}, "'openid'"),
        ({"scopes": ("openid", "a b")}, "without blanks"),
        ({"grace_hours": 73}, "0 to 72"),
        ({"grace_hours": -1}, "0 to 72"),
        ({"ca_pem": "text"}, "no PEM"),
        ({"ca_pem": "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----"}, "no PEM"),
    ],
)
def test_settings_that_could_not_work_are_refused(change, words):
    given = {"name": "Clinic ID", "issuer": "https://id.example", "client_id": "ert"}
    with pytest.raises(InvalidSite, match=words):
        ProviderSettings(**given | change)


def test_looking_brings_no_site_up_to_date(enrolled, path, store, monkeypatch):
    from ert.storage import schema

    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    before = (path / "site.db").read_bytes()
    for use in (lambda: gateway(store).way_in(path), lambda: gateway(store).open_as(path, WHO)):
        with pytest.raises(Refused, match="brought up to date by the first sign-in with a password"):
            use()
    assert (path / "site.db").read_bytes() == before
