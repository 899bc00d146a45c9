"""A key slot that cannot be read at the moment is not taken for one that is not there."""

from __future__ import annotations

import json
import logging
import re

import pytest

from ert.errors import BadTag, StorageFailed, WrongKey
from ert.storage.unlock import SLOTS, unlock_with_recovery_code
from tests.integration.storage import samples

NEW_PASSWORD = "Polonium-210!"


@pytest.fixture
def made(tmp_path):
    code = samples.make_site(tmp_path / "site")
    return tmp_path / "site", code


def hidden(root, kind):
    """Put a folder in the place of a slot: reading it fails as a bad sector would. Return a way to put it back."""
    (path,) = (p for p in (root / SLOTS).glob("*.json") if json.loads(p.read_bytes())["kind"] == kind)
    away = path.with_suffix(".away")
    path.rename(away)
    path.mkdir()

    def back():
        path.rmdir()
        away.rename(path)

    return back


def keys_of(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in (root / "keys").rglob("*") if p.is_file()}


def test_a_password_is_not_changed_while_its_slot_cannot_be_read(made):
    """Taken for missing, a second slot was written beside it, and neither password opened the site any more."""
    root, _ = made
    site = samples.open_site(root)
    back = hidden(root, "password")
    before = keys_of(root)
    with pytest.raises(StorageFailed, match="reading a key slot"):
        site.accounts.change_own_password(samples.PASSWORD, NEW_PASSWORD)
    with pytest.raises(StorageFailed, match="reading a key slot"):
        site.accounts.reset_password(site.account.id, NEW_PASSWORD)
    assert keys_of(root) == before
    back()
    site.accounts.change_own_password(samples.PASSWORD, NEW_PASSWORD)
    site.close()
    samples.sites().open(root, user_name=samples.LOGIN, password=NEW_PASSWORD).close()


@pytest.mark.parametrize("kind", ["password", "recovery"])
def test_keys_are_not_renewed_while_a_slot_cannot_be_read(made, kind):
    """Passed over, it would have stayed behind under a ring that was then removed: its owner locked out for good."""
    root, code = made
    site = samples.open_site(root)
    back = hidden(root, kind)
    before = keys_of(root)
    with pytest.raises(StorageFailed, match="reading a key slot"):
        site.keys.renew_master_key()
    assert keys_of(root) == before
    back()
    site.keys.renew_master_key()
    site.close()
    samples.open_site(root).close()
    unlock_with_recovery_code(root, typed_code=code).vault.close()


def test_a_slot_of_somebody_else_that_cannot_be_read_keeps_nobody_out(made):
    root, _ = made
    site = samples.open_site(root)
    back = hidden(root, "recovery")
    (name,) = (p.name for p in (root / SLOTS).iterdir() if p.is_dir())
    site.confirm_password(samples.PASSWORD)
    holders = site.accounts.have_password()
    assert (holders.user_ids, holders.unreadable) == ({site.account.id}, (name,))
    with pytest.raises(WrongKey):
        site.confirm_password("Wrong-Pw-0!")
    site.close()
    samples.open_site(root).close()
    back()


def test_ones_own_slot_that_cannot_be_read_is_named_and_not_taken_for_a_wrong_password(made):
    root, _ = made
    site = samples.open_site(root)
    back = hidden(root, "password")
    (name,) = (p.name for p in (root / SLOTS).iterdir() if p.is_dir())
    with pytest.raises(StorageFailed, match=re.escape(name)):
        site.confirm_password(samples.PASSWORD)
    back()
    site.confirm_password(samples.PASSWORD)
    site.close()


def test_slots_that_trade_places_are_found_and_no_key_is_changed_over_them(made):
    """Changing the password would have written over the recovery slot that lay in its place."""
    root, code = made
    first, second = sorted((root / SLOTS).glob("*.json"))
    data, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(data)
    site = samples.open_site(root)
    assert [f.code for f in site.check(level=2)] == ["CHECK-SLOT", "CHECK-SLOT"]
    before = keys_of(root)
    with pytest.raises(BadTag, match="in the place of another"):
        site.accounts.change_own_password(samples.PASSWORD, NEW_PASSWORD)
    with pytest.raises(BadTag, match="in the place of another"):
        site.keys.renew_master_key()
    assert keys_of(root) == before
    first.write_bytes(data)
    second.write_bytes(other)
    site.accounts.change_own_password(samples.PASSWORD, NEW_PASSWORD)
    site.close()
    unlock_with_recovery_code(root, typed_code=code).vault.close()


def test_a_damaged_slot_keeps_nobody_from_renewing_keys(made):
    root, code = made
    (root / SLOTS / "00000000-0000-4000-8000-000000000000.json").write_bytes(b"\x00" * 40)
    site = samples.open_site(root)
    site.keys.renew_master_key()
    site.close()
    samples.open_site(root).close()
    unlock_with_recovery_code(root, typed_code=code).vault.close()


def test_what_was_saved_is_acknowledged_though_the_workstation_cannot_note_it(made, tmp_path, caplog):
    root, _ = made
    anchors = tmp_path / "anchors"
    site = samples.open_site(root, anchors=anchors)
    plan = samples.plan_of(samples.import_one(site))
    anchors.rename(tmp_path / "away")
    anchors.write_bytes(b"a file where the folder was")
    with caplog.at_level(logging.WARNING, logger="ert.storage.records"):
        assert site.plans.save(plan, base_revision=0).revision == 1
    assert "could not note the newest state" in caplog.text
    anchors.unlink()
    (tmp_path / "away").rename(anchors)
    assert site.plans.save(samples.renamed(plan, "second"), base_revision=1).revision == 2
    site.close()
    samples.open_site(root, anchors=anchors).close()


def test_how_the_keys_stand_is_told_while_a_slot_cannot_be_read_and_what_to_do(made):
    root, _ = made
    site = samples.open_site(root)
    pending = site.emergency.prepare()
    code = pending.code
    pending.confirm(code)
    for kind, kept in (("recovery", (1, 0, 1)), ("password", (0, 1, 1)), ("emergency", (1, 1, 0))):
        back = hidden(root, kind)
        (name,) = (p.name for p in (root / SLOTS).iterdir() if p.is_dir())
        state = site.keys.state()
        assert (state.passwords, state.recovery_codes, state.envelopes) == kept
        assert state.unreadable == (name,)
        for change in (
            site.keys.renew_master_key,
            site.emergency.withdraw,
            lambda: site.emergency.prepare()._put_into_use(b"x" * 20),
        ):
            with pytest.raises(StorageFailed, match=name) as refused:
                change()
            assert "restore this file of the folder keys/slots/ from a backup" in refused.value.hint
        if kind != "emergency":
            samples.sites().open_sealed(root, code=code, person="Dr. A. B.", reason="In a hurry today").close()
        if kind != "password":
            samples.open_site(root).close()
        back()
    assert site.emergency.envelope() is not None
    site.keys.renew_master_key()
    site.close()
