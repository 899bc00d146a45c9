"""After a working day, no name, number, date, password or key lies in clear but where it was put on purpose."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from ert.storage.unlock import unlock_with_password
from tests.integration.canary_day import CANARIES, CLEAR, PRINTED, environment

ZSTD_FRAME = b"\x28\xb5\x2f\xfd"


def spellings(text: str) -> set[bytes]:
    """A text as it may lie on a disk: as text of two kinds, in hexadecimal digits, in base64 at any offset."""
    data = text.encode()
    found = {data, text.encode("utf-16-le"), data.hex().encode()}
    for offset in range(3):
        cut = base64.b64encode(bytes(offset) + data)
        found.add(cut[4 if offset else 0 : -4])
    return {one.lower() for one in found if len(one) >= 8}


def hits(folder: Path, needles: dict[str, set[bytes]], *, without: Path | None = None) -> list[tuple[str, str]]:
    """Which needle lies in which file, names of files included."""
    found = []
    for path in sorted(folder.rglob("*")):
        if without is not None and path.is_relative_to(without):
            continue
        content = path.read_bytes() if path.is_file() else b""
        data = str(path.relative_to(folder)).encode().lower() + b"\0" + content.lower()
        found += [
            (name, str(path.relative_to(folder))) for name, any_of in needles.items() if any(n in data for n in any_of)
        ]
    return found


@pytest.fixture(scope="module")
def day(tmp_path_factory, repository):
    """What such a day left behind, and what it wrote to its terminal."""
    folder = tmp_path_factory.mktemp("day")
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.canary_day", str(folder)],
        env=environment(folder),
        cwd=repository,
        capture_output=True,
        timeout=400,
        check=False,
    )
    assert b"day is over" in done.stdout, done.stderr.decode()[-2000:]
    assert done.returncode == -9
    return folder, done.stdout + done.stderr


@pytest.fixture(scope="module")
def needles():
    return {name: spellings(text) for name, text in CANARIES.items()}


def test_the_search_finds_what_is_clear_on_purpose(day, needles):
    found = {name for name, _ in hits(day[0] / CLEAR / "out", needles)}
    assert set(PRINTED) <= found
    assert {"physician", "institution", "comment", "accession"} <= {n for n, _ in hits(day[0] / CLEAR, needles)}
    planted = day[0] / "planted"
    planted.write_bytes(b"x" + base64.b64encode(b"ab" + CANARIES["family name"].encode() + b"c"))
    try:
        assert [name for name, path in hits(day[0], needles, without=day[0] / CLEAR) if path == "planted"] == [
            "family name"
        ]
    finally:
        planted.unlink()


def test_nothing_of_a_person_lies_anywhere_else(day, needles):
    folder, said = day
    assert hits(folder, needles, without=folder / CLEAR) == []
    for name, any_of in needles.items():
        assert not any(needle in said.lower() for needle in any_of), name
    places = {path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file()}
    assert {"site", "backups", "network", "cache", "state"} <= places
    assert any(path.name == "ert.log" for path in folder.rglob("*"))
    assert any(path.suffix == ".ertc" for path in (folder / "network").rglob("*"))


def test_nothing_lies_packed_but_not_encrypted(day):
    folder = day[0]
    for place in ("site", "backups", "network"):
        for path in (folder / place).rglob("*"):
            assert not path.is_file() or ZSTD_FRAME not in path.read_bytes(), path.name


def test_no_key_lies_anywhere(day):
    folder = day[0]
    vault = unlock_with_password(folder / "site", login=CANARIES["login"], password=CANARIES["password"]).vault
    keys = {
        "master": vault.master_key,
        "field": vault.field_key,
        "audit": vault.audit_key,
        "index": vault.index_key,
        "files": vault.file_kek(vault.generation),
        "database": bytes.fromhex(vault.database_key_literal()[2:-1]),
    }
    raw = {name: {key.lower(), key.hex().encode(), base64.b64encode(key)[:-4].lower()} for name, key in keys.items()}
    assert hits(folder, raw) == []
