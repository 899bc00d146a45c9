"""``ert keys`` and ``ert records`` on a real site: what they print, and what they refuse."""

from __future__ import annotations

import json
import os

import pytest

from ert.cli.main import call
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

    def command(*words, password=samples.PASSWORD):
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
    code, told = run("records", "correct", one["id"], "--birth-date", "1949-02-30", "--reason", "x")
    assert (code, told["error"]["sentence"]) == (1, "'1949-02-30' is no date.")
    code, after = run(
        "records", "correct", one["id"], "--family-name", "Right", "--birth-date", "1950-01-02", "--reason", "slip"
    )
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
