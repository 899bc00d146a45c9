"""Passwords come from a descriptor or a terminal, never from elsewhere."""

import io
import os
import stat

import pytest

from ert.cli import credentials
from ert.errors import Refused


@pytest.fixture
def pipe():
    made = []

    def make(content):
        read, write = os.pipe()
        os.write(write, content)
        os.close(write)
        made.append(read)
        return read

    yield make
    for descriptor in made:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"secret\n", "secret"),
        (b"secret", "secret"),
        ("schön är ö\r\n".encode(), "schön är ö"),
        (b" a b \nrest", " a b "),
    ],
)
def test_the_first_line_is_the_password(pipe, content, wanted):
    assert credentials.read_first_line(pipe(content)) == wanted


def test_nothing_behind_the_first_line_is_taken(pipe):
    descriptor = pipe(b"first\nsecond\n")
    assert credentials.read_first_line(descriptor) == "first"
    assert os.read(descriptor, 100) == b"second\n"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\n", b"x" * 5000])
def test_what_is_no_password_is_refused(pipe, content):
    with pytest.raises(Refused):
        credentials.read_first_line(pipe(content))


def test_a_descriptor_that_is_not_open_is_refused():
    with pytest.raises(Refused, match="cannot be read"):
        credentials.read_first_line(987)


def test_without_a_terminal_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(Refused, match="no terminal") as caught:
        credentials.ask_password("Password", descriptor=None)
    assert "--password-fd" in caught.value.hint


def test_the_recovery_file_is_new_and_for_its_owner_only(tmp_path):
    path = tmp_path / "code.txt"
    assert credentials.write_secret_file(path, "AAAA-BBBB", what="recovery file") == "AAAA-BBBB"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(Refused, match="already"):
        credentials.write_secret_file(path, "CCCC", what="recovery file")
    assert path.read_text(encoding="utf-8") == "AAAA-BBBB\n"
