"""``ert release`` on a real site: packages are listed, signed, withdrawn; a wrong word is refused with exit code 1."""

import json
import os

import attrs
import pytest

from ert.cli.main import call
from ert.commissioning.package import package_bytes
from tests.integration.storage import samples
from tests.unit.dose.beams import demo

WORDS = "Checked against water tank scans of 2026-02; not for cutouts below 3 cm."


class Wired:
    def gateway(self):
        return samples.sites()


@pytest.fixture
def digest(tmp_path):
    root = samples.copied_site(tmp_path / "site")
    site = samples.open_site(root)
    package = demo()
    models = tuple(attrs.evolve(m, is_demo=False) for m in package.models)
    clinical = attrs.evolve(package, models=models, is_demo=False)
    for it in (package, clinical):
        site.machines.add(name=it.machine.name, digest=it.digest, content=package_bytes(it))
    site.close()
    return clinical.digest


@pytest.fixture
def run(tmp_path, capsys):
    def command(*words):
        reading, writing = os.pipe()
        os.write(writing, samples.PASSWORD.encode() + b"\n")
        os.close(writing)
        common = ["--site", str(tmp_path / "site"), "--user", samples.LOGIN, "--password-fd", str(reading), "--json"]
        code = call(["release", *words, *common], Wired())
        os.close(reading)
        return code, json.loads(capsys.readouterr().out)

    return command


def test_a_package_is_listed_signed_and_withdrawn(run, digest):
    code, listed = run("list")
    assert (code, [p["state"] for p in listed["packages"]]) == (0, ["demo", "not released"])
    code, signed = run("sign", digest[:12], "--statement", WORDS)
    assert (code, signed["state"], signed["version"], signed["by"]) == (0, "released", 1, samples.LOGIN)
    assert signed["statement"] == WORDS
    code, gone = run("withdraw", digest, "--reason", "output drifted")
    assert (code, gone["state"]) == (0, "withdrawn")
    assert [p["state"] for p in run("list")[1]["packages"]] == ["demo", "withdrawn"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("sign", "DEMO", "--statement", WORDS), "demo machine"),
        (("sign", "DIGEST", "--statement", "fine"), "20 to 4000 characters"),
        (("sign", "ffffffffffff", "--statement", WORDS), "no machine package"),
        (("sign", "f", "--statement", WORDS), "no machine package"),
        (("withdraw", "DIGEST", "--reason", "x"), "never released"),
    ],
)
def test_what_cannot_be_done_is_refused(run, digest, words, sentence):
    known = {"DEMO": demo().digest, "DIGEST": digest}
    code, answer = run(*(known.get(word, word) for word in words))
    assert code == 1
    assert sentence in answer["error"]["sentence"]
