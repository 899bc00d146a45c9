"""``ert keys emergency`` on a real encrypted site: sealed, told of after use, withdrawn; the code only on the sheet."""

from __future__ import annotations

import json
import os
import stat

import pytest

from ert.cli.main import call
from tests.integration.storage import samples


class Wiring:
    def gateway(self):
        return samples.sites()


@pytest.fixture
def site(tmp_path):
    return samples.copied_site(tmp_path / "site")


@pytest.fixture
def run(site, capsys, monkeypatch, tmp_path):
    """One command; its exit code, its JSON, and what it wrote to stderr."""
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))

    def made(*arguments, user=samples.LOGIN, password=samples.PASSWORD):
        reading, writing = os.pipe()
        os.write(writing, password.encode() + b"\n")
        os.close(writing)
        code = call(
            [*arguments, "--site", str(site), "--user", user, "--password-fd", str(reading), "--json"], Wiring()
        )
        os.close(reading)
        captured = capsys.readouterr()
        return code, json.loads(captured.out) if captured.out else None, captured.err

    return made


def code_on(sheet) -> str:
    lines = sheet.read_text().split("Code:")[1].split("When nobody")[0].split()
    return "".join(lines)


def use(site, code):
    samples.sites().open_sealed(site, code=code, person="Dr. Hedy Fromm", reason="Patient on the couch").close()


def test_an_envelope_from_its_sealing_to_its_end(run, site, tmp_path):
    assert run("keys", "emergency", "show")[1] == {"envelope": None}
    sheet = tmp_path / "sheet.txt"
    code, sealed, said = run("keys", "emergency", "seal", "--sheet-file", str(sheet))
    assert (code, sealed["envelope"]["state"], sealed["envelope"]["uses"], said) == (0, "sealed", 0, "")
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    emergency = code_on(sheet)
    assert len(emergency.replace("-", "")) == 36
    assert "Clinic" in sheet.read_text()
    assert samples.LOGIN in sheet.read_text()
    assert run("keys", "show")[1]["envelopes"] == 1
    use(site, emergency)
    for command in (("list",), ("keys", "emergency", "show"), ("user", "list")):
        code, _, said = run(*command)
        assert (code, "Dr. Hedy Fromm: Patient on the couch" in said) == (0, True)
    assert run("keys", "emergency", "show")[1]["envelope"]["state"] == "opened"
    assert run("keys", "emergency", "seal", "--sheet-file", str(tmp_path / "new.txt"))[0] == 0
    assert run("list")[2] == ""
    code, shown, _ = run("keys", "emergency", "withdraw")
    assert (code, shown) == (0, {"envelope": None})
    assert run("keys", "emergency", "withdraw")[0] == 1


def test_a_sheet_is_never_written_over_another_file_and_nothing_is_sealed_then(run, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    code, _, said = run("keys", "emergency", "seal", "--sheet-file", str(taken))
    assert (code, "there already" in said, taken.read_text()) == (1, True, "mine")
    assert run("keys", "emergency", "show")[1] == {"envelope": None}


def test_only_an_administrator_seals_and_nobody_else_is_told(run, site, tmp_path):
    store = samples.open_site(site)
    from ert.domain.account import Grant

    store.accounts.add("anna", password="One-Time-Pw-1!", grant=Grant())
    store.close()
    hers = samples.sites().open(site, user_name="anna", password="One-Time-Pw-1!")
    hers.accounts.change_own_password("One-Time-Pw-1!", "Annas-Own-Pw-2@")
    hers.close()
    sheet = tmp_path / "sheet.txt"
    anna = {"user": "anna", "password": "Annas-Own-Pw-2@"}
    code, _, said = run("keys", "emergency", "seal", "--sheet-file", str(sheet), **anna)
    assert (code, "an administrator's account" in said, sheet.exists()) == (1, True, False)
    run("keys", "emergency", "seal", "--sheet-file", str(sheet))
    use(site, code_on(sheet))
    assert run("list", **anna)[2] == ""
