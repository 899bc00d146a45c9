"""Interrupted runs on a workstation: encrypted, named by nobody, gone where anything is wrong."""

import pytest

from ert.storage.keys import Vault
from ert.storage.run_shelf import RunShelf

DIGEST, DATA = "ab" * 32, b"ERT Monte Carlo checkpoint, not really" * 1000


@pytest.fixture
def vault():
    return Vault.create("site")


@pytest.fixture
def shelf(tmp_path, vault):
    return RunShelf(tmp_path / "runs", vault)


def test_a_run_comes_back_and_its_file_tells_nothing(shelf, tmp_path, vault):
    assert not shelf.has(DIGEST)
    assert shelf.get(DIGEST) is None
    shelf.put(DIGEST, DATA)
    shelf.put(DIGEST, DATA + b"later")
    assert shelf.has(DIGEST)
    assert RunShelf(tmp_path / "runs", vault).get(DIGEST) == DATA + b"later"
    (file,) = (tmp_path / "runs").iterdir()
    assert DIGEST not in file.name
    assert b"Monte Carlo" not in file.read_bytes()
    shelf.remove(DIGEST)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_damaged_or_exchanged_file_is_no_run(shelf, tmp_path):
    shelf.put(DIGEST, DATA)
    (file,) = (tmp_path / "runs").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    assert shelf.get(DIGEST) is None
    shelf.put("cd" * 32, DATA)
    (other,) = set((tmp_path / "runs").iterdir()) - {file}
    file.write_bytes(other.read_bytes())  # another request's run under this one's name
    assert shelf.get(DIGEST) is None


def test_the_oldest_runs_go_and_no_place_is_no_trouble(shelf, tmp_path, vault):
    for number in range(8):
        shelf.put(f"{number:064d}", DATA)
    assert len(list((tmp_path / "runs").iterdir())) == 6
    assert shelf.has(f"{7:064d}")
    nowhere = RunShelf(None, vault)
    nowhere.put(DIGEST, DATA)
    assert nowhere.get(DIGEST) is None
    (tmp_path / "file").write_bytes(b"")
    blocked = RunShelf(tmp_path / "file" / "runs", vault)
    blocked.put(DIGEST, DATA)
    assert not blocked.has(DIGEST)
