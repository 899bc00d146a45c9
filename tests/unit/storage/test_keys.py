"""Keys: wrapped, bound to their site and purpose, opened only by the right password or code, never shown."""

from __future__ import annotations

import copy
import datetime as dt
import json
import pickle

import attrs
import pytest

from ert.errors import BadTag, InvalidSite, NotASite, SchemaTooNew, WrongKey
from ert.storage import keys, slots, store_file, unlock
from ert.storage.assembly import SiteOptions
from ert.storage.creation import prepare_site
from ert.storage.keys import Vault
from ert.storage.passwords import KDF_FLOOR, KdfParameters
from ert.storage.store_file import CLINICAL
from tests.integration.storage import samples

STORE = "11111111-2222-3333-4444-555555555555"
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def vault():
    return Vault.create(STORE)


def unwrapped(vault, data, **changes):
    given = {"store_id": STORE, "ring": 1, "master_key": vault.master_key} | changes
    return keys.unwrap_ring(data, **given)


def test_a_ring_gives_the_same_keys(vault):
    other = unwrapped(vault, vault.wrapped_ring())
    assert other.database_key_literal() == vault.database_key_literal()
    assert (other.field_key, other.audit_key, other.index_key) == (vault.field_key, vault.audit_key, vault.index_key)
    assert other.file_kek(1) == vault.file_kek(1)
    assert len({vault.master_key, vault.field_key, vault.audit_key, vault.index_key, vault.file_kek(1)}) == 5


def test_every_bit_of_a_ring_is_guarded(vault):
    data = vault.wrapped_ring()
    for i in range(len(data)):
        for bit in range(8):
            with pytest.raises((BadTag, NotASite, SchemaTooNew)):
                unwrapped(vault, data[:i] + bytes([data[i] ^ (1 << bit)]) + data[i + 1 :])


def test_a_ring_is_bound_to_site_generation_and_master_key(vault):
    data = vault.wrapped_ring()
    for changes in ({"store_id": "other"}, {"ring": 2}, {"master_key": bytes(32)}):
        with pytest.raises((BadTag, NotASite)):
            unwrapped(vault, data, **changes)
    for broken in (data[:-1], data + b"x", b"", bytes(9999)):
        with pytest.raises(NotASite):
            unwrapped(vault, broken)


def test_wrapped_keys_cannot_trade_places(vault):
    data = vault.wrapped_ring()
    entries, position = [], 11
    for purpose in keys.PURPOSES:
        size = 1 + len(purpose)
        entries.append((data[position : position + size], data[position + size : position + size + 60]))
        position += size + 60
    assert position == len(data)
    swapped = [(entries[0][0], entries[1][1]), (entries[1][0], entries[0][1]), *entries[2:]]
    with pytest.raises(BadTag):
        unwrapped(vault, data[:11] + b"".join(a + b for a, b in swapped))


def test_a_vault_is_not_shown_copied_or_pickled_and_forgets(vault):
    assert vault.master_key.hex() not in repr(vault)
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            duplicate(vault)
    inner = [vault._master, *vault._keys.values()]
    vault.close()
    assert all(bytes(key) == b"" for key in inner)
    for use in (vault.database_key_literal, vault.wrapped_ring, lambda: vault.field_key):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_a_key_of_another_generation_is_not_invented(vault):
    with pytest.raises(BadTag):
        vault.file_kek(2)


def password_slot(vault, password="Radium-226!"):
    return slots.make_password_slot(
        vault, login="Curie", user_id="u1", password=password, parameters=samples.FAST, created=NOW
    )


def test_a_password_slot_opens_with_its_password_only(vault):
    slot = slots.read_slot(password_slot(vault).to_json())
    assert slots.open_password_slot(slot, "Radium-226!") == vault.master_key
    assert slots.open_password_slot(slot, "Radium-226") is None
    slot.check_code(vault)
    assert slots.open_recovery_slot(slot, bytes(20)) is None


def test_a_recovery_slot_opens_with_its_code_only(vault):
    secret = bytes(range(20))
    slot = slots.read_slot(slots.make_recovery_slot(vault, secret=secret, created=NOW).to_json())
    assert slots.open_recovery_slot(slot, secret) == vault.master_key
    assert slots.open_recovery_slot(slot, bytes(20)) is None
    assert slots.open_password_slot(slot, "Radium-226!") is None
    slot.check_code(vault)


@pytest.mark.parametrize(
    "change", [{"user_id": "u2"}, {"slot_id": "s2"}, {"store_id": "x"}, {"created_utc": ""}, {"login_tag": "0" * 32}]
)
def test_a_slot_is_bound_to_everything_in_it(vault, change):
    slot = attrs.evolve(password_slot(vault), **change)
    assert slots.open_password_slot(slot, "Radium-226!") is None
    with pytest.raises(BadTag):
        slot.check_code(vault)


def test_a_lowered_password_cost_does_not_open(vault):
    slot = attrs.evolve(password_slot(vault), kdf=KdfParameters(memory_kib=16, iterations=1, lanes=1))
    assert slots.open_password_slot(slot, "Radium-226!") is None


def test_a_slot_put_in_by_a_stranger_is_noticed(vault):
    stranger = password_slot(Vault.create(STORE))
    with pytest.raises(BadTag, match="without its keys"):
        stranger.check_code(vault)


def test_slot_files_name_nobody(vault):
    assert "curie" not in password_slot(vault).to_json().decode().casefold()
    assert slots.login_tag(STORE, " CURIE ") == slots.login_tag(STORE, "curie") == password_slot(vault).login_tag


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"}, {"generation": "1"}, {"salt": "!"}, {"salt": ""}, {"kdf": None}, {"extra": 1},
        {"store_id": 5}, {"public_x25519": "AA=="}, {"format": 0},
    ],
)  # fmt: skip
def test_impossible_slots_are_refused(vault, change):
    document = json.loads(password_slot(vault).to_json()) | change
    with pytest.raises(NotASite):
        slots.read_slot(json.dumps(document).encode())


def test_unreadable_and_newer_slots_are_refused(vault):
    for data in (b"", b"{", b"[]", b'{"format": 1, "format": 1}', b"\xff" * 20, b" " * 20_000):
        with pytest.raises(NotASite):
            slots.read_slot(data)
    document = json.loads(password_slot(vault).to_json()) | {"format": 2}
    with pytest.raises(SchemaTooNew):
        slots.read_slot(json.dumps(document).encode())


def test_store_json_is_authenticated(tmp_path):
    root = samples.copied_site(tmp_path / "site")
    path = root / store_file.FILE_NAME
    document = json.loads(path.read_text())
    document["store"]["kind"] = CLINICAL
    path.write_text(json.dumps(document))
    with pytest.raises((BadTag, NotASite)):
        samples.open_site(root)


PLACE = {"host": "h", "port": 1, "database": "d", "role": "r", "schema": "s", "authority_sha256": ""}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": 2}, SchemaTooNew), ({"suite": 3}, SchemaTooNew), ({"kind": "x"}, NotASite),
        ({"store_id": "other"}, WrongKey), ({"epoch": 2}, BadTag), ({"created_utc": ""}, BadTag),
        ({"extra": 1}, NotASite), ({"format": "1"}, NotASite), ({"suite": 2}, NotASite),
        ({"database": PLACE}, NotASite), ({"suite": 2, "database": PLACE}, BadTag),
        ({"suite": 2, "database": {"host": "h"}}, NotASite),
    ],
)  # fmt: skip
def test_a_changed_store_json_is_refused(tmp_path, change, error):
    root = samples.copied_site(tmp_path / "site")
    path = root / store_file.FILE_NAME
    document = json.loads(path.read_text())
    document["store"] |= change
    path.write_text(json.dumps(document))
    with pytest.raises(error):
        samples.open_site(root)


def test_a_site_for_newer_programs_is_refused(tmp_path, monkeypatch):
    root = samples.copied_site(tmp_path / "site")
    monkeypatch.setattr(store_file, "app_version", lambda: "0.0.9")
    with pytest.raises(SchemaTooNew, match=r"0\.1\.0"):
        samples.open_site(root)


@pytest.mark.parametrize("name", ["store.json", "keys/ring-1.bin", "site.db"])
def test_a_missing_file_is_named(tmp_path, name):
    root = samples.copied_site(tmp_path / "site")
    (root / name).unlink()
    with pytest.raises(NotASite):
        samples.open_site(root)


def test_keys_of_another_site_do_not_open_this_one(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    samples.make_site(first)
    samples.make_site(second)
    (first / "site.db").write_bytes((second / "site.db").read_bytes())
    with pytest.raises(WrongKey):
        samples.open_site(first)


def prepare(root, **changes):
    given = {"site_name": "Clinic", "admin_name": "A", "password": samples.PASSWORD, "options": SiteOptions()}
    return prepare_site(root, **given | {"kind": "sandbox", "kdf": samples.FAST} | changes)


def test_nothing_is_on_the_disk_before_the_code_was_typed_back(tmp_path):
    root = tmp_path / "new" / "site"
    pending = prepare(root)
    assert list(tmp_path.iterdir()) == []
    code = pending.recovery_code
    wrong = code[:-1] + ("A" if code[-1] != "A" else "B")
    other = prepare(tmp_path / "other").recovery_code
    for typed in (wrong, other, ""):
        with pytest.raises(InvalidSite):
            pending.confirm(typed)
    assert list(tmp_path.iterdir()) == []
    pending.confirm(code.lower())
    assert sorted(p.name for p in root.iterdir()) == ["data", "keys", "site.db", "store.json", "tmp", "trash"]
    assert [p.name for p in root.parent.iterdir()] == ["site"]
    with pytest.raises(InvalidSite, match="finished"):
        pending.confirm(code)


def test_a_site_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    from ert.errors import DiskFull
    from ert.storage import creation

    def full(*_arguments, **_named):
        raise OSError(28, "No space left on device")

    pending = prepare(tmp_path / "site")
    monkeypatch.setattr(creation, "migrate", full)
    with pytest.raises(DiskFull):
        pending.confirm(pending.recovery_code)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused_and_an_empty_one_taken(tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(InvalidSite, match="not empty"):
        prepare(tmp_path / "used")
    (tmp_path / "empty").mkdir()
    pending = prepare(tmp_path / "empty")
    pending.confirm(pending.recovery_code)
    assert (tmp_path / "empty" / "store.json").is_file()


@pytest.mark.parametrize("change", [{"site_name": " "}, {"admin_name": ""}, {"password": "short"}])
def test_a_site_needs_names_and_a_password(tmp_path, change):
    with pytest.raises(InvalidSite):
        prepare(tmp_path / "site", **change)


def test_a_clinical_site_never_goes_below_the_floor(tmp_path):
    with pytest.raises(InvalidSite, match="below"):
        prepare(tmp_path / "site", kind=CLINICAL)
    pending = prepare(tmp_path / "site", kind=CLINICAL, kdf=KDF_FLOOR)
    pending.confirm(pending.recovery_code)
    (slot,) = (
        s for s in unlock.read_slots(tmp_path / "site", _store_id(tmp_path / "site")) if s.kind == slots.PASSWORD
    )
    assert slot.kdf == KDF_FLOOR
    opened = unlock.unlock_with_password(tmp_path / "site", login="A", password=samples.PASSWORD)
    assert opened.store.kind == CLINICAL
    path = unlock.slot_path(tmp_path / "site", slot)
    path.write_bytes(attrs.evolve(slot, kdf=samples.FAST).to_json())
    with pytest.raises(NotASite, match="minimum"):
        unlock.unlock_with_password(tmp_path / "site", login="A", password=samples.PASSWORD)


def _store_id(root) -> str:
    return store_file.read_store_file(root)[0].store_id


def test_keys_are_not_in_logs_or_environment(tmp_path, repository):
    import subprocess
    import sys

    root = tmp_path / "site"
    script = f"""
import logging, sys
sys.path.insert(0, {str(repository)!r})
logging.basicConfig(level=logging.DEBUG)
from pathlib import Path
from tests.integration.storage import samples
samples.make_site(Path({str(root)!r}))
site = samples.open_site(Path({str(root)!r}))
samples.import_one(site)
vault = site.records.guard._vault
keys = [bytes(k).hex() for k in (vault._master, *vault._keys.values())]
import json, os
open({str(tmp_path / "keys")!r}, "w").write(json.dumps(keys))
open({str(tmp_path / "environment")!r}, "w").write(repr(os.environ) + repr(sys.argv))
site.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    text = (done.stdout + done.stderr).decode() + (tmp_path / "environment").read_text()
    secrets = [*json.loads((tmp_path / "keys").read_text()), samples.PASSWORD]
    assert [s for s in secrets if s in text] == []
    assert len(secrets) == 7
