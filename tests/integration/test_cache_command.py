"""``ert cache``: shown and cleared without a password; nothing of the site itself is touched."""

import json

import pytest

from ert.cli.main import call
from ert.settings import CacheSettings, Settings, save_settings
from ert.storage.passwords import KdfParameters
from ert.storage.site import SiteOptions
from ert.storage.sites import Sites
from tests.integration.storage import samples


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "share").mkdir()
    return CacheSettings(folder=str(tmp_path / "doses"), network_folder=str(tmp_path / "share"))


@pytest.fixture
def wiring(settings):
    class Wired:
        def gateway(self):
            kdf = KdfParameters(memory_kib=8, iterations=1, lanes=1)
            return Sites(SiteOptions(cache_settings=lambda: settings), kind="sandbox", kdf=kdf)

    return Wired()


@pytest.fixture
def site(tmp_path, wiring):
    root = samples.copied_site(tmp_path / "site")
    opened = wiring.gateway().open(root, user_name=samples.LOGIN, password=samples.PASSWORD)
    opened.caches.put(samples.dose("aa" * 32))
    opened.caches.put(samples.dose("bb" * 32))
    opened.close()
    return root


def run(wiring, capsys, *words):
    code = call(["cache", *words], wiring)
    return code, capsys.readouterr()


def test_caches_are_shown_and_cleared(site, wiring, capsys, tmp_path):
    code, out = run(wiring, capsys, "show", "--site", str(site), "--json")
    local, network = json.loads(out.out)["caches"]
    assert code == 0
    assert (local["name"], local["entries"], network["name"], network["entries"]) == ("workstation", 2, "network", 2)
    assert local["size_bytes"] == sum(p.stat().st_size for p in (tmp_path / "doses").rglob("*.ertc"))
    assert (local["limit_bytes"], local["is_working"]) == (2_000_000_000, True)
    records = {p: p.read_bytes() for p in site.rglob("*") if p.is_file()}
    code, out = run(wiring, capsys, "clear", "--site", str(site), "--json")
    told = json.loads(out.out)
    assert [c["entries"] for c in told["before"]] == [2, 2]
    assert [c["entries"] for c in told["after"]] == [0, 0]
    assert not list(tmp_path.rglob("*.ertc"))
    assert {p: p.read_bytes() for p in site.rglob("*") if p.is_file()} == records


def test_another_sites_doses_stay(site, wiring, capsys, tmp_path):
    stranger = tmp_path / "doses" / "another-site" / "x.ertc"
    stranger.parent.mkdir()
    stranger.write_bytes(b"x")
    code, out = run(wiring, capsys, "clear", "--site", str(site))
    assert code == 0
    assert "Removed" in out.out
    assert stranger.exists()


def test_a_folder_that_is_no_site_is_refused(wiring, capsys, tmp_path):
    code, out = run(wiring, capsys, "clear", "--site", str(tmp_path), "--json")
    assert code == 1
    assert json.loads(out.out)["error"]["sentence"]


def test_settings_that_cannot_be_used_are_refused_and_not_taken_for_a_cache_that_is_off(
    site, wiring, capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    save_settings(Settings())
    (path,) = (tmp_path / "config").rglob("settings.toml")
    path.write_text("version = 99", encoding="utf-8")
    code, _ = run(wiring, capsys, "show", "--site", str(site), "--json")
    assert code == 1
