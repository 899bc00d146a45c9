"""``ert site create --server``, ``move`` and ``reconnect``: passwords come from descriptors and stand nowhere."""

from __future__ import annotations

import json
import os

import pytest

from ert.cli.main import call
from tests.integration.storage import samples
from tests.integration.storage.postgres import ROLE_PASSWORD


class Wiring:
    def gateway(self):
        return samples.sites()


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """One command; its exit code, what it wrote, and how it complained."""
    monkeypatch.setenv("ERT_LOG_DIR", str(tmp_path / "log"))

    def pipe(text):
        read, write = os.pipe()
        os.write(write, text.encode() + b"\n")
        os.close(write)
        return read

    def made(*arguments, server=None):
        descriptors = [pipe(samples.PASSWORD)]
        whole = ["site", *map(str, arguments), "--password-fd", str(descriptors[0])]
        if server is not None:
            descriptors.append(pipe(server.password))
            whole += ["--server", server.address.text, "--server-password-fd", str(descriptors[1])]
        code = call(whole, Wiring())
        for descriptor in descriptors:
            os.close(descriptor)
        captured = capsys.readouterr()
        logged = "".join(p.read_text() for p in (tmp_path / "log").rglob("*") if p.is_file())
        for secret in (samples.PASSWORD, ROLE_PASSWORD):
            assert secret not in captured.out + captured.err + logged
        return code, captured.out, captured.err

    return made


def test_a_site_is_made_on_a_server_comes_back_goes_again_and_is_reconnected(run, postgres, tmp_path):
    server, root, who = postgres.new_database(), tmp_path / "site", ("--user", samples.LOGIN)
    code, _, said = run(
        "create", root, "--name", "C", "--admin", samples.LOGIN, "--recovery-file", tmp_path / "code", server=server
    )
    assert code == 0, said
    site = samples.open_site(root)
    samples.import_one(site)
    site.close()
    code, out, said = run("move", root, "--to-folder", *who, "--json")
    assert (code, json.loads(out)["database"]) == (0, "folder"), said
    code, out, said = run("move", root, *who, "--json", server=server)
    assert code == 0, said
    assert json.loads(out)["database"] == server.address.text
    assert json.loads(out)["records"] > 5
    code, out, said = run("reconnect", root, *who, server=server)
    assert (code, server.address.text in out) == (0, True), said
    site = samples.open_site(root)
    assert len(site.patients.patients()) == 1
    assert site.check() == ()
    site.close()


def test_what_is_asked_wrongly_changes_nothing(run, postgres, tmp_path):
    root = samples.copied_site(tmp_path / "site")
    before = (root / "store.json").read_bytes()
    assert run("move", root, "--user", samples.LOGIN)[0] == 2
    code, _, said = run("move", root, "--to-folder", "--user", samples.LOGIN)
    assert (code, "lie in its folder already" in said) == (1, True)
    code, _, said = run("move", tmp_path, "--user", samples.LOGIN, server=postgres.new_database())
    assert (code, "no ERT site" in said) == (1, True)
    secret = "postgresql://ert:Zq-in-the-url@db.example/ert"
    code, _, said = run("move", root, "--user", samples.LOGIN, "--server", secret)
    assert (code, "holds a password" in said, "Zq-in" in said) == (1, True, False)
    assert (root / "store.json").read_bytes() == before
