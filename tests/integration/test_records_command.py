"""``ert keys`` and ``ert records`` on a real site: what they print, and what they refuse."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
from types import SimpleNamespace

import pytest

from ert.cli import identity
from ert.cli.main import call
from ert.domain.patient import Sex
from ert.errors import Refused
from tests.integration.storage import samples


class Wired:
    def gateway(self):
        return samples.sites()


@pytest.fixture
def root(tmp_path):
    root = samples.copied_site(tmp_path / "site")
    site = samples.open_site(root)
    samples.import_one(site)
    samples.import_one(site, seed=2, number="4712")
    site.close()
    return root


@pytest.fixture
def run(tmp_path, capsys, monkeypatch, root):
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))

    def command(*words, password=samples.PASSWORD, typed=None):
        if typed is not None:
            monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(typed.encode())))
        reading, writing = os.pipe()
        os.write(writing, password.encode() + b"\n")
        os.close(writing)
        common = ["--site", root, "--user", samples.LOGIN, "--password-fd", reading, "--json"]
        code = call([str(word) for word in (*words, *common)], Wired())
        os.close(reading)
        out, err = capsys.readouterr()
        assert password not in out + err
        return code, json.loads(out)

    return command


def test_keys_are_shown_and_renewed(run, tmp_path):
    assert run("keys", "show") == (
        0,
        {
            "ring": 1,
            "generation": 1,
            "is_renewing": False,
            "passwords": 1,
            "recovery_codes": 1,
            "workstations": 0,
            "envelopes": 0,
            "unreadable": [],
            "earlier_files": 0,
            "earlier_bytes": 0,
        },
    )
    code, state = run("keys", "rotate", "master")
    assert (code, state["ring"], state["generation"]) == (0, 2, 1)
    code, state = run("keys", "rotate", "data")
    assert (code, state["ring"], state["generation"], state["earlier_files"]) == (0, 3, 2, 6)
    code, state = run("keys", "rotate", "files")
    assert (code, state["earlier_files"]) == (0, 0)
    sheet = tmp_path / "sheet"
    code, state = run("keys", "rotate", "recovery-code", "--recovery-file", sheet)
    assert (code, state["recovery_codes"], len(sheet.read_text().strip())) == (0, 1, 44)


def test_records_are_listed_corrected_merged_put_aside_and_taken_apart(run):
    code, listed = run("records", "list")
    one, two = (next(r for r in listed["records"] if r["medical_record_number"] == n) for n in ("4711", "4712"))
    assert code == 0
    correct = ("records", "correct", one["id"], "--reason", "slip", "--identity")
    code, told = run(*correct, "-", typed='{"birth_date": "1949-02-30"}')
    assert (code, told["error"]["sentence"]) == (1, "'1949-02-30' is no date.")
    code, after = run(*correct, "-", typed='{"family_name": "Right", "birth_date": "1950-01-02"}')
    assert (code, after["name"], after["birth_date"], after["revision"]) == (0, "Right jr, Dr Änne B.", "1950-01-02", 2)
    code, told = run("records", "merge", one["id"], "--into", two["id"], "--reason", "twice")
    assert (code, "contradict" in told["error"]["sentence"]) == (1, True)
    code, after = run("records", "merge", one["id"], "--into", two["id"], "--reason", "twice", "--accept-differences")
    assert (code, after["merged_into"]) == (0, two["id"])
    code, after = run("records", "unmerge", one["id"], "--reason", "two persons")
    assert (code, after["merged_into"], after["revision"]) == (0, "", 4)
    code, after = run("records", "deactivate", two["id"], "--reason", "treated")
    assert (code, after["is_active"]) == (0, False)
    code, after = run("records", "activate", two["id"], "--reason", "back")
    assert (code, after["is_active"], after["revision"]) == (0, True, 3)
    assert run("records", "activate", "nobody", "--reason", "x")[0] == 1


def test_an_identity_comes_from_a_file_and_never_from_the_command_line(run, tmp_path):
    one = run("records", "list")[1]["records"][0]
    given = tmp_path / "identity.json"
    given.write_text('{"given_name": "Ada", "sex": "o", "suffix": ""}', encoding="utf-8")
    correct = ("records", "correct", one["id"], "--reason", "slip")
    code, after = run(*correct, "--identity", given)
    assert (code, after["name"], after["sex"]) == (0, "Zzyzxquist, Dr Ada B.", "O")
    for words in (("--family-name", "Right"), ("--birth-date", "1950-01-02"), ("--number", "1")):
        reading, writing = os.pipe()
        os.close(writing)
        assert call([*correct, "--site", "x", *words], Wired()) == 2
        os.close(reading)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "holds is no JSON"),
        ("[]", "one JSON object of texts"),
        ("{}", "one JSON object of texts"),
        ('{"sex": 1}', "one JSON object of texts"),
        ('{"name": "x"}', "An identity has no name."),
        ('{"sex": "X"}', "is no sex that DICOM knows"),
        ("", "holds is no JSON"),
    ],
)
def test_what_is_no_identity_changes_nothing(run, text, sentence):
    one = run("records", "list")[1]["records"][0]
    code, told = run("records", "correct", one["id"], "--reason", "x", "--identity", "-", typed=text)
    assert code == 1
    assert sentence in told["error"]["sentence"]
    assert run("records", "list")[1]["records"][0] == one


def test_on_a_terminal_every_field_is_asked_for_with_what_it_is_now(monkeypatch, capsys):
    answers = iter(["Right", "", "-", "", "", "", "", "1950-01-02", "f"])
    terminal = SimpleNamespace(isatty=lambda: True, readline=lambda: next(answers) + "\n")
    monkeypatch.setattr("sys.stdin", terminal)
    changes = identity.ask_changes(samples.patient())
    assert changes == {
        "family_name": "Right", "middle_name": "", "birth_date": dt.date(1950, 1, 2), "sex": Sex.FEMALE
    }  # fmt: skip
    asked = capsys.readouterr().err
    assert "Family name [Zzyzxquist]" in asked
    assert "Birth date [1948-02-29]" in asked
    answers = iter([""] * 9)
    with pytest.raises(Refused, match="every field was kept"):
        identity.ask_changes(samples.patient())
