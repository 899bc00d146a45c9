"""``ert site provider``, ``ert site enrol-workstation``, ``ert user link`` on a real site, against a real provider."""

from __future__ import annotations

import json
import os

import pytest

from ert.cli.main import call
from ert.identity.client import OidcClient
from ert.storage.assembly import SiteOptions
from ert.storage.passwords import KdfParameters
from ert.storage.sites import Sites
from ert.storage.store_file import SANDBOX
from tests.identity_people import MemoryKeyStore, running_provider

ADMIN, PASSWORD, SUBJECT = "m.curie", "Radium-1898!", "248289761001"


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    with running_provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture
def wiring(provider):
    store = MemoryKeyStore()

    class Wiring:
        def gateway(self):
            kdf = KdfParameters(memory_kib=8, iterations=1, lanes=1)
            return Sites(SiteOptions(key_store=store), kind=SANDBOX, kdf=kdf)

        def identity(self):
            return OidcClient(store, browser=provider.browser)

    return Wiring()


@pytest.fixture
def run(wiring, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))
    path = tmp_path / "site"
    pending = wiring.gateway().prepare(path, site_name="Test", admin_name=ADMIN, password=PASSWORD)
    pending.confirm(pending.recovery_code)

    def made(*arguments, json_wanted=True):
        read, write = os.pipe()
        os.write(write, PASSWORD.encode() + b"\n")
        os.close(write)
        whole = [*arguments, "--site", str(path), "--user", ADMIN, "--password-fd", str(read)]
        code = call([*whole, *(["--json"] if json_wanted else [])], wiring)
        os.close(read)
        captured = capsys.readouterr()
        assert PASSWORD not in captured.out + captured.err
        return code, json.loads(captured.out) if json_wanted and captured.out else captured.out, captured.err

    made.path = path
    return made


def test_an_administrator_sets_it_all_up_and_takes_it_away_again(run, wiring, provider):
    code, _, said = run("site", "provider", "show")
    assert code == 1
    assert "no sign-in provider" in said
    code, _, said = run("site", "provider", "set", "--issuer", provider.issuer)
    assert (code, "--name, --client-id" in said) == (1, True)
    code, shown, _ = run(
        "site", "provider", "set", "--issuer", provider.issuer, "--name", "Clinic ID", "--client-id", "ert-desktop",
        "--ca-file", str(provider.folder / "ca.pem"), "--grace-hours", "4",
    )  # fmt: skip
    assert code == 0
    assert shown == {
        "name": "Clinic ID", "issuer": provider.issuer, "client_id": "ert-desktop", "algorithm": "RS256",
        "scopes": ["openid", "profile", "offline_access"], "user_claim": "preferred_username",
        "certificates": 1, "grace_hours": 4, "is_on": True,
    }  # fmt: skip
    code, out, _ = run("site", "provider", "test", json_wanted=False)
    assert (code, "has keys for RS256" in out) == (0, True)
    code, _, said = run("site", "provider", "set", "--ca-file", str(run.path / "store.json"))
    assert (code, "no PEM" in said) == (1, True)
    code, added, _ = run("user", "add", "anna", "--subject", SUBJECT)
    assert (code, added["must_change_password"]) == (0, False)
    code, linked, _ = run("user", "link", ADMIN, "--subject", "curie-1")
    assert (code, linked["subject"]) == (0, "curie-1")
    code, enrolled, _ = run("site", "enrol-workstation", "--name", "console")
    assert (code, enrolled["name"], enrolled["is_here"]) == (0, "console", True)
    way = wiring.gateway().way_in(run.path)
    assert way.settings.grace_hours == 4
    signed_in = wiring.identity().sign_in(way, on_link=lambda _link: None, check=lambda: None)
    site = wiring.gateway().open_as(run.path, signed_in.identity)
    assert site.user_name == "anna"
    site.close()
    _, listed, _ = run("site", "workstations")
    assert [w["name"] for w in listed["workstations"]] == ["console"]
    _, table, _ = run("site", "workstations", json_wanted=False)
    assert enrolled["id"] in table
    code, _, said = run("site", "remove-workstation", "other", json_wanted=False)
    assert (code, "No workstations" in said) == (1, True)
    code, out, _ = run("site", "remove-workstation", "console", json_wanted=False)
    assert (code, "was removed" in out) == (0, True)
    assert wiring.gateway().way_in(run.path) is None
    code, linked, _ = run("user", "link", ADMIN, "--nobody")
    assert (code, linked["subject"]) == (0, "")
    assert run("user", "link", ADMIN)[0] == 2
    code, shown, _ = run("site", "provider", "set", "--off", "--ca-file", "-")
    assert (shown["is_on"], shown["certificates"]) == (False, 0)
    code, out, _ = run("site", "provider", "show", json_wanted=False)
    assert (code, "refused" in out, "operating system" in out) == (0, True, True)


def test_whoever_is_no_administrator_is_refused(wiring, run, capsys):
    site = wiring.gateway().open(run.path, user_name=ADMIN, password=PASSWORD)
    from ert.domain.account import Grant, Level

    site.accounts.add("k.lindqvist", password="One-Time-Pw-1!", grant=Grant(level=Level.ELEVATED))
    site.close()
    own = wiring.gateway().open(run.path, user_name="k.lindqvist", password="One-Time-Pw-1!")
    own.accounts.change_own_password("One-Time-Pw-1!", "Karls-Own-Pw-2@")
    own.close()
    for verb in (["provider", "show"], ["workstations"], ["enrol-workstation"]):
        read, write = os.pipe()
        os.write(write, b"Karls-Own-Pw-2@\n")
        os.close(write)
        code = call(
            ["site", *verb, "--site", str(run.path), "--user", "k.lindqvist", "--password-fd", str(read)], wiring
        )
        os.close(read)
        assert code == 1
        assert "administrator's account" in capsys.readouterr().err
