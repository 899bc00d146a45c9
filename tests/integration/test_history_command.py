"""``ert history``: revisions listed, compared, restored; the activity log shown and exported; every reading noted."""

import json
import os

import attrs
import pytest

from ert.cli.main import call
from tests.integration.storage import samples


class Wired:
    def gateway(self):
        return samples.sites()


@pytest.fixture
def site(tmp_path):
    return samples.copied_site(tmp_path / "site")


@pytest.fixture
def plan(site):
    store = samples.open_site(site)
    made = samples.plan_of(samples.import_one(store))
    store.plans.save(made, base_revision=0)
    store.plans.save(attrs.evolve(made, description="second"), base_revision=1)
    store.close()
    return made


def run(site, capsys, *words):
    reading, writing = os.pipe()
    os.write(writing, samples.PASSWORD.encode() + b"\n")
    os.close(writing)
    code = call(
        ["history", *words, "--site", str(site), "--user", samples.LOGIN, "--password-fd", str(reading)], Wired()
    )
    os.close(reading)
    out = capsys.readouterr()
    return code, out.out


def test_revisions_are_compared_restored_and_listed(site, plan, capsys):
    code, out = run(site, capsys, "compare", plan.id, "--from", "1", "--to", "2", "--json")
    assert code == 0
    (change,) = json.loads(out)["changes"]
    assert (change["place"], change["what"], change["after"]) == ("Plan", "Description", "second")
    code, out = run(site, capsys, "restore", plan.id, "--revision", "1")
    assert (code, out) == (0, "Revision 1 is restored as revision 3.\n")
    code, out = run(site, capsys, "revisions", plan.id, "--json")
    found = json.loads(out)["revisions"]
    assert [(r["revision"], r["reason"]) for r in found] == [(3, "restored r1"), (2, ""), (1, "")]
    code, out = run(site, capsys, "restore", plan.id, "--revision", "9")
    assert code == 1


def test_the_activity_log_tells_of_readers_too(site, plan, capsys, tmp_path):
    run(site, capsys, "revisions", plan.id)
    code, out = run(site, capsys, "activity", "--record", plan.id, "--limit", "2", "--json")
    assert code == 0
    assert [e["event"] for e in json.loads(out)["activity"]] == ["activity log read", "revisions listed"]
    code, out = run(site, capsys, "activity", "--csv", str(tmp_path / "log.csv"))
    assert code == 0
    lines = (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith('"number","time UTC","user"')
    assert "activity log exported" in lines[1]
    assert samples.CANARY in "".join(lines)
