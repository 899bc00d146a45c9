"""The address of a database server: what is understood, and what is refused before anything is sent."""

from __future__ import annotations

import pytest

from ert.domain.database_server import ServerAddress, ServerLogin, parse_address
from ert.errors import InvalidSite


@pytest.mark.parametrize(
    ("text", "expected", "shown"),
    [
        ("postgresql://ert@db.clinic.example/ert", ("db.clinic.example", 5432, "ert", "ert"),
         "postgresql://ert@db.clinic.example:5432/ert"),
        (" postgres://a_b@10.1.2.3:6543/site-1 ", ("10.1.2.3", 6543, "site-1", "a_b"),
         "postgresql://a_b@10.1.2.3:6543/site-1"),
        ("postgresql://ert@[2001:db8::1]:5432/ert", ("2001:db8::1", 5432, "ert", "ert"),
         "postgresql://ert@[2001:db8::1]:5432/ert"),
    ],
)  # fmt: skip
def test_an_address_is_understood_and_shown(text, expected, shown):
    address = parse_address(text)
    assert (address.host, address.port, address.database, address.role) == expected
    assert address.text == shown
    assert parse_address(address.text) == address
    host, port, database, role = expected
    assert address.words == f"{host}:{port}, database {database}, role {role}"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("postgresql://ert:secret@h/d", "password"), ("postgresql://ert:@h/d", "password"),
        ("mysql://ert@h/d", "no address"), ("postgresql://h/d", "role"), ("postgresql://ert@h/", "database"),
        ("postgresql://ert@/d", "host"), ("postgresql://ert@h/d?sslmode=disable", "no address"),
        ("postgresql://ert@h:port/d", "cannot be read"), ("postgresql://ert@h/d'; DROP", "database"),
        ("h/d", "no address"), ("", "no address"), ("postgresql://ert@h%20host=evil/d", "host"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text, word):
    with pytest.raises(InvalidSite, match=word) as raised:
        parse_address(text)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False),
     ("localhost.evil.example", False), ("db", False)],
)  # fmt: skip
def test_only_the_loopback_is_this_computer(host, is_here):
    assert ServerAddress(host=host, database="d", role="r").is_this_computer is is_here


def test_a_login_does_not_show_its_password():
    login = ServerLogin(address=parse_address("postgresql://r@h/d"), password="Zq-secret")
    assert "Zq-secret" not in repr(login)
