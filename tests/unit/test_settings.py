"""Settings of the workstation: what is written comes back; what cannot be understood is refused and left alone."""

from pathlib import Path

import pytest

from ert.errors import Refused
from ert.settings import CacheSettings, Settings, load_settings, save_settings, settings_path


def test_without_a_file_there_are_the_defaults(tmp_path):
    settings = load_settings(tmp_path / "settings.toml")
    assert settings == Settings()
    assert settings.cache.is_on
    assert settings.cache.limit_gigabytes == 2
    assert settings.cache.network_folder == ""
    assert settings.cache.local_folder.is_absolute()


@pytest.mark.parametrize("folder", ["/a b/ü€😀", '/quote"back\\slash', "/tab\tnew\nline\x7f", "/'''\"\"\""])
def test_what_is_saved_comes_back(tmp_path, folder):
    path = tmp_path / "deep" / "settings.toml"
    settings = Settings(cache=CacheSettings(is_on=False, folder=folder, limit_gigabytes=7, network_folder="/net"))
    save_settings(settings, path)
    assert load_settings(path) == settings
    assert [p.name for p in path.parent.iterdir()] == ["settings.toml"]
    assert Path(load_settings(path).cache.local_folder) == Path(folder)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "version"),
        ("version = 2", "version"),
        ("version = true", "version"),
        ("version = 1\n[chache]\n", "chache"),
        ("version = 1\n[cache]\nlimit = 3\n", "does not know"),
        ('version = 1\n[cache]\nlimit_gigabytes = "3"\n', "limit_gigabytes"),
        ("version = 1\n[cache]\nlimit_gigabytes = true\n", "limit_gigabytes"),
        ("version = 1\n[cache]\nlimit_gigabytes = 0\n", "1 to"),
        ('version = 1\n[cache]\nfolder = "relative"\n', "absolute"),
        ("version = 1\ncache = 3\n", "cache"),
        ("version = 1\n[cache\n", "TOML"),
        ("\xff\xfe", "TOML"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_and_never_overwritten(tmp_path, text, why):
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(Refused, match=why):
        load_settings(path)
    with pytest.raises(Refused, match=why):
        save_settings(Settings(), path)
    assert path.read_text(encoding="latin-1") == text


def test_a_folder_that_does_not_take_the_file_is_told(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(Refused):
        save_settings(Settings(), tmp_path / "file" / "settings.toml")


def test_the_file_is_in_the_users_configuration(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings_path().name == "settings.toml"
