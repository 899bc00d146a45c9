"""The key store of the operating system: a real Secret Service in a session of its own, and stores that are none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringLocked

from ert.errors import KeyStoreFailed
from ert.key_store import OsKeyStore
from tests.integration.storage import samples

ROOT = Path(__file__).resolve().parents[3]
HAS_SECRET_SERVICE = bool(shutil.which("gnome-keyring-daemon") and shutil.which("dbus-run-session"))
# What one desktop session does: enrol, look, and open the keys again in another process.
DAY = """
import json, sys
from pathlib import Path
from ert.errors import KeyStoreFailed
from ert.key_store import OsKeyStore
from ert.storage.assembly import SiteOptions
from ert.storage.sites import Sites
from ert.storage.workstation_keys import unlock_with_workstation
path, verb, login, password = Path(sys.argv[1]), *sys.argv[2:5]
store, said = OsKeyStore(), {}
if verb == "enrol":
    site = Sites(SiteOptions()).open(path, user_name=login, password=password)
    made = site.workstations.enrol("console")
    said = {"is_here": made.is_here, "id": made.id}
    site.keys.renew_master_key()
    site.close()
elif verb == "open":
    said = {"id": unlock_with_workstation(path, store).workstation_id}
elif verb == "remove":
    site = Sites(SiteOptions()).open(path, user_name=login, password=password)
    (only,) = site.workstations.workstations()
    site.workstations.remove(only.id)
    said = {"left": store.read(f"workstation {site.site_id}")}
    site.close()
print(json.dumps(said))
"""


@pytest.fixture
def chosen():
    """Lets a test choose the backend of `keyring`, and puts the former one back."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


class Plain(KeyringBackend):
    """What `keyrings.alt` has: passwords in a file, in clear."""

    priority = 0.5

    def get_password(self, service, username):
        return "in clear"

    def set_password(self, service, username, password):
        raise AssertionError("asked to keep a secret")


class Held(KeyringBackend):
    """A key store in memory; a test says what is wrong with it."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.kept, self.fault = {}, None

    def get_password(self, service, username):
        if self.fault is not None:
            raise self.fault
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password[: 10 if self.fault == 0 else None]

    def delete_password(self, service, username):
        del self.kept[service, username]


HELD = frozenset({f"{Held.__module__}.Held"})


@pytest.mark.parametrize("backend", [fail.Keyring(), null.Keyring(), Plain()])
def test_a_store_that_does_not_encrypt_is_refused_with_a_sentence(backend, chosen):
    chosen(backend)
    store = OsKeyStore()
    for use in (lambda: store.read("x"), lambda: store.write("x", "secret"), lambda: store.remove("x")):
        with pytest.raises(KeyStoreFailed) as refused:
            use()
        assert type(backend).__qualname__ in refused.value.sentence
        assert "GNOME Keyring or KWallet" in refused.value.hint


def test_of_a_chain_the_safe_one_is_used(chosen, monkeypatch):
    held = Held()
    monkeypatch.setattr(ChainerBackend, "backends", [Plain(), held])
    chosen(ChainerBackend())
    store = OsKeyStore(HELD)
    store.write("x", "secret")
    assert held.kept == {("ert", "x"): "secret"}
    assert store.read("x") == "secret"
    store.remove("x")
    store.remove("x")
    assert store.read("x") is None
    monkeypatch.setattr(ChainerBackend, "backends", [Plain()])
    with pytest.raises(KeyStoreFailed):
        store.read("x")


def test_a_locked_store_and_one_that_loses_what_it_is_given(chosen):
    held = Held()
    chosen(held)
    store = OsKeyStore(HELD)
    held.fault = KeyringLocked("locked")
    for use in (lambda: store.read("x"), lambda: store.write("x", "secret"), lambda: store.remove("x")):
        with pytest.raises(KeyStoreFailed, match="could not"):
            use()
    held.fault = None

    def cut(service, username, password):
        held.kept[service, username] = password[:3]

    held.set_password = cut
    with pytest.raises(KeyStoreFailed, match="did not keep"):
        store.write("x", "secret")
    with pytest.raises(KeyStoreFailed, match="too long"):
        store.write("x", "s" * 20_000)


@pytest.mark.skipif(not HAS_SECRET_SERVICE, reason="needs gnome-keyring-daemon and dbus-run-session")
def test_a_workstation_is_enrolled_in_a_real_secret_service(tmp_path):
    """Three processes in one desktop session, and a fourth in another, whose key store is another person's."""
    path = samples.copied_site(tmp_path / "site")

    def session(home, *verbs):
        home.mkdir(exist_ok=True)
        calls = " && ".join(f'"$0" -c "$1" {path} {verb} "$2" "$3"' for verb in verbs)
        script = f"printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null && {calls}"
        environment = os.environ | {
            "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "XDG_RUNTIME_DIR": str(home),
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        ran = subprocess.run(
            ["dbus-run-session", "--", "sh", "-c", script, sys.executable, DAY, samples.LOGIN, samples.PASSWORD],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr

    code, (enrolled, opened), _ = session(tmp_path / "anna", "enrol", "open")  # the master key was renewed between
    assert code == 0
    assert enrolled == {"is_here": True, "id": opened["id"]}
    code, _, said = session(tmp_path / "eve", "open")
    assert code != 0
    assert "not enrolled" in said
    code, (removed,), _ = session(tmp_path / "anna", "remove")
    assert removed == {"left": None}
    secrets = [p.read_bytes() for p in (tmp_path / "anna" / "data").rglob("*") if p.is_file()]
    assert secrets
    assert not any(b"workstation" in data for data in secrets)  # the service encrypts names, too
