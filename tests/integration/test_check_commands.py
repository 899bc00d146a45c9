"""``ert second-check`` and ``ert recompute``: limits, exit codes, what is refused; runs in real processes."""

import json
import os
import signal

import pytest

from ert.app.task_pool import local_pool
from ert.cli import recompute as command
from ert.cli.main import call
from tests.integration.storage import samples


class Wired:
    def gateway(self):
        return samples.sites()


@pytest.fixture
def site(tmp_path):
    return samples.copied_site(tmp_path / "site")


def run(site, capsys, *words):
    reading, writing = os.pipe()
    os.write(writing, samples.PASSWORD.encode() + b"\n")
    os.close(writing)
    code = call([*words, "--site", str(site), "--user", samples.LOGIN, "--password-fd", str(reading)], Wired())
    os.close(reading)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_limits_are_shown_and_set_with_a_reason(site, capsys):
    code, out, _ = run(site, capsys, "second-check", "limits")
    assert code == 0
    assert "the program's own limits: gamma 3 % / 2 mm above 10 %: green from 95 %, amber from 90 %" in out
    code, out, _ = run(
        site, capsys, "second-check", "set-limits", "--reason", "our audit", "--gamma-distance-mm", "1.5",
        "--green-pass-pct", "97", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["limits"]["gamma_distance_cm"] == pytest.approx(0.15)
    code, out, _ = run(site, capsys, "second-check", "limits", "--json")
    found = json.loads(out)
    assert found["in_use"]["source"] == "the site's limits, revision 1"
    assert (found["in_use"]["green_pass_pct"], found["in_use"]["gamma_dose_pct"]) == (97.0, 3.0)
    assert found["revisions"][0]["reason"] == "our audit"
    code, _, error = run(site, capsys, "second-check", "set-limits", "--reason", "x", "--green-pass-pct", "80")
    assert code == 1
    assert "must rise from amber to green" in error
    code, _, error = run(site, capsys, "second-check", "run", "no-such-plan", "--mark-ready", "--by", "pbra")
    assert code == 1
    assert "Leave out --by" in error


def test_a_run_says_which_plans_and_ends_well_if_there_are_none(site, capsys, tmp_path):
    out = ("--out", str(tmp_path / "run"))
    for words in ((), ("--all", "--machine", "M"), ("--all", "--list", "f")):
        code, _, error = run(site, capsys, "recompute", *out, *words)
        assert code == 1
        assert "Say which plans" in error
    code, _, error = run(site, capsys, "recompute", *out, "--list", str(tmp_path / "missing"))
    assert code == 1
    assert "cannot be read" in error
    code, _, error = run(site, capsys, "recompute", *out, "--all", "--cluster", "tcp://10.1.2.3:8786")
    assert code == 1
    assert "over TLS only" in error
    code, printed, _ = run(site, capsys, "recompute", *out, "--all", "--json", "--processes", "1")
    assert code == 0
    assert json.loads(printed)["summary"] == {"same": 0, "changed": 0, "new": 0, "failed": 0}


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(site, capsys, tmp_path, monkeypatch):
    def interrupted(*_given, **_named):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_run", interrupted)
    code, printed, error = run(site, capsys, "recompute", "--out", str(tmp_path / "run"), "--all", "--json")
    assert code == 1
    assert json.loads(printed)["is_whole"] is False
    assert "Give the same --out to go on" in error
    assert (tmp_path / "run" / "recompute.csv").exists()


def test_a_process_of_the_pool_leaves_ctrl_c_to_its_parent():
    """The signal that a terminal sends to the whole group does not end a worker in the middle of its answer."""
    with local_pool(1) as pool:
        child = pool.submit(os.getpid).result()
        os.kill(child, signal.SIGINT)
        assert pool.submit(os.getpid).result() == child
