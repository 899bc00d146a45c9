"""``ert user`` on a real encrypted site: accounts come, change and go; no password stands where others read it."""

from __future__ import annotations

import json
import os
import stat

import pytest

from ert.cli.main import call
from tests.integration.storage import samples

CHIEF = (samples.LOGIN, samples.PASSWORD)
FIRST, OWN = "One-Time-Pw-1!", "Annas-Own-Pw-2@"


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

    def pipe(text):
        read, write = os.pipe()
        os.write(write, text.encode() + b"\n")
        os.close(write)
        return str(read)

    def made(*arguments, as_user=CHIEF, new=None, json_wanted=True, group="user"):
        fds = ["--user", as_user[0], "--password-fd", pipe(as_user[1])]
        if new is not None:
            fds += ["--new-password-fd", pipe(new)]
        whole = [group, *arguments, "--site", str(site), *fds, *(["--json"] if json_wanted else [])]
        code = call(whole, Wiring())
        for descriptor in fds[3::2]:
            os.close(int(descriptor))
        captured = capsys.readouterr()
        for secret in {as_user[1], new} - {None}:
            assert secret not in captured.out + captured.err
        return code, json.loads(captured.out) if json_wanted and captured.out else captured.out, captured.err

    return made


def test_an_account_from_its_first_day_to_its_last(run):
    code, made, _ = run("add", "anna", "--level", "research", "--feature", "plan_approval", new=FIRST)
    assert code == 0
    assert made == {
        "name": "anna", "level": "research", "features": ["plan_approval"], "is_administrator": False,
        "is_disabled": False, "must_change_password": True,
    }  # fmt: skip
    code, _, said = run("list", as_user=("anna", FIRST))
    assert (code, "one-time password" in said) == (1, True)
    assert run("password", as_user=("anna", FIRST), new=OWN)[0] == 0
    code, _, said = run("list", as_user=("anna", OWN))
    assert (code, "an administrator's account" in said) == (1, True)
    code, changed, _ = run("level", "ANNA", "elevated", "--give", "im_device", "--take", "plan_approval",
                           "--administrator")  # fmt: skip
    assert (code, changed["level"], changed["features"]) == (0, "elevated", ["im_device"])
    code, listed, _ = run("list", as_user=("anna", OWN))
    assert [u["name"] for u in listed["users"]] == ["anna", samples.LOGIN]
    assert run("disable", "anna")[1]["is_disabled"]
    assert run("list", as_user=("anna", OWN))[0] == 1
    assert not run("enable", "anna")[1]["is_disabled"]
    assert run("list", as_user=("anna", OWN))[0] == 0
    assert run("reset", "anna", new=FIRST)[1]["must_change_password"]
    assert run("list", as_user=("anna", OWN))[0] == 1


def test_a_made_up_password_goes_into_a_file_of_its_owner_only(run, tmp_path):
    path = tmp_path / "first"
    code, _, said = run("add", "anna", "--new-password-file", str(path))
    assert (code, said) == (0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    password = path.read_text(encoding="utf-8").strip()
    assert run("password", as_user=("anna", password), new=OWN)[0] == 0


def test_a_file_for_a_password_that_was_not_set_goes_again(run, tmp_path):
    path = tmp_path / "first"
    code, _, said = run("reset", "nobody", "--new-password-file", str(path))
    assert (code, "no user named 'nobody'" in said, path.exists()) == (1, True, False)


@pytest.mark.parametrize(
    ("arguments", "new", "sentence"),
    [
        (("add", "anna"), None, "no terminal to show"),
        (("add", "anna"), "hunter2", "too weak"),
        (("add", samples.LOGIN), FIRST, "already"),
        (("disable", samples.LOGIN), None, "last administrator"),
        (("level", samples.LOGIN, "--no-administrator"), None, "last administrator"),
        (("level", samples.LOGIN, "elevated"), None, "exactly this"),
        (("enable", samples.LOGIN), None, "enabled already"),
    ],
)
def test_refusals(run, arguments, new, sentence):
    code, _, said = run(*arguments, new=new)
    assert (code, sentence in said) == (1, True), said


def test_the_table_names_levels_and_features_as_people_do(run):
    run("add", "anna", "--feature", "facility_configuration", new=FIRST)
    code, table, _ = run("list", json_wanted=False)
    assert code == 0
    assert "Facility Configuration" in table
    assert "one-time password" in table


def test_the_rule_of_passwords_is_shown_and_changed_by_administrators(run):
    assert run("rule")[:2] == (0, {"policy": "composition", "one_time_hours": 72})
    code, text, _ = run("rule", "--policy", "nist", "--one-time-hours", "24", json_wanted=False)
    assert code == 0
    assert text.startswith("A password needs 15 to 128 characters, no common word")
    assert text.strip().endswith("one-time passwords run out after 24 hours.")
    assert run("add", "anna", new="kettles and lemons")[0] == 0
    code, told, _ = run("add", "berta", new="Short-Pw-1!")
    assert (code, "15 to 128 characters" in told["error"]["sentence"]) == (1, True)
    assert run("rule", "--one-time-hours", "0")[0] == 1
    assert run("rule")[1] == {"policy": "nist", "one_time_hours": 24}
    assert run("rule", as_user=("anna", "kettles and lemons"))[0] == 1


def test_who_may_approve_is_shown_to_everybody_and_changed_by_administrators(run):
    assert run("approval-rule", group="site")[:2] == (0, {"needs_another_person": False})
    run("add", "anna", new=FIRST)
    run("password", as_user=("anna", FIRST), new=OWN)
    anna = ("anna", OWN)
    code, told, _ = run("approval-rule", "--another-person", group="site", as_user=anna)
    assert (code, "an administrator's account" in told["error"]["hint"] + told["error"]["sentence"]) == (1, True)
    code, text, _ = run("approval-rule", "--another-person", group="site", json_wanted=False)
    assert (code, text) == (
        0,
        "Who may approve: the approver must be another person than who edited the plan last.\n",
    )
    assert run("approval-rule", group="site", as_user=anna)[1] == {"needs_another_person": True}
    assert run("approval-rule", "--anybody", group="site")[1] == {"needs_another_person": False}
