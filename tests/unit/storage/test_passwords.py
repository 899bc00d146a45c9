"""The site's password rule, Argon2id against its published vector, and the recovery code."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ert.errors import InvalidSite, NotASite, WrongKey
from ert.storage import passwords, recovery
from ert.storage.passwords import KDF_FLOOR, KdfParameters


@pytest.mark.parametrize("password", ["Radium-226!", "aB3$efghij", "ÄÖÜäöü123*", "A" + "a" * 125 + "1!"])
def test_good_passwords_pass(password):
    passwords.check_password(password)


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("aB3$efghi", "10 to 128"), ("ab3$efghij", "upper-case"), ("AB3$EFGHIJ", "lower-case"),
        ("aBc$efghij", "digit"), ("aB3-efghij", "one of"), ("", "10 to 128"), ("aB3$" + "x" * 125, "10 to 128"),
    ],
)  # fmt: skip
def test_weak_passwords_are_refused_with_what_is_missing(password, missing):
    with pytest.raises(InvalidSite, match=missing):
        passwords.check_password(password)


def test_the_floor_is_the_published_one():
    assert (KDF_FLOOR.memory_kib, KDF_FLOOR.iterations, KDF_FLOOR.lanes) == (65536, 3, 4)
    assert KDF_FLOOR.is_at_least(KDF_FLOOR)
    for weaker in ({"memory_kib": 65535}, {"iterations": 2}, {"lanes": 3}):
        assert not KdfParameters(**{"memory_kib": 65536, "iterations": 3, "lanes": 4} | weaker).is_at_least(KDF_FLOOR)


def test_argon2id_gives_the_vector_of_rfc_9106():
    kdf = Argon2id(salt=b"\2" * 16, length=32, iterations=3, lanes=4, memory_cost=32, ad=b"\4" * 12, secret=b"\3" * 8)
    expected = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    assert kdf.derive(b"\1" * 32).hex() == expected


def test_the_same_password_typed_decomposed_gives_the_same_key():
    cheap = KdfParameters(memory_kib=64, iterations=1, lanes=1)
    keys = {passwords.derive_password_key(p, salt=b"s" * 16, parameters=cheap) for p in ("Ä1!", "A\u03081!")}
    assert len(keys) == 1
    assert keys != {passwords.derive_password_key("A1!", salt=b"s" * 16, parameters=cheap)}


@pytest.mark.parametrize(
    "document",
    [
        {"algorithm": "scrypt", "memory_kib": 65536, "iterations": 3, "lanes": 4},
        {"algorithm": "argon2id", "memory_kib": 65536, "iterations": 3},
        {"algorithm": "argon2id", "memory_kib": 2**40, "iterations": 3, "lanes": 4},
        {"algorithm": "argon2id", "memory_kib": 65536, "iterations": 10**9, "lanes": 4},
        {"algorithm": "argon2id", "memory_kib": "65536", "iterations": 3, "lanes": 4},
    ],
)
def test_impossible_costs_are_refused_before_memory_is_taken(document):
    with pytest.raises(NotASite):
        KdfParameters.from_json(document)


def test_a_recovery_code_is_read_as_a_human_writes_it():
    secret = recovery.new_recovery_secret()
    code = recovery.format_recovery_code(secret)
    assert len(secret) * 8 == 160
    assert [len(group) for group in code.split("-")] == [4] * 9
    for typed in (
        code,
        code.lower(),
        code.replace("-", " "),
        code.replace("O", "0").replace("I", "1").replace("B", "8"),
    ):
        assert recovery.parse_recovery_code(typed) == secret


def test_a_known_secret_has_the_code_of_its_base32_form():
    assert recovery.format_recovery_code(bytes(20)).startswith("AAAA-" * 8)
    assert recovery.format_recovery_code(b"\xff" * 20).startswith("7777-" * 8)


def test_every_single_slip_is_noticed():
    code = recovery.format_recovery_code(bytes(range(20)))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    slips = [
        code[:i] + c + code[i + 1 :] for i, c in itertools.product(range(len(code)), letters) if code[i] not in ("-", c)
    ]
    swaps = [code[:i] + code[i + 1] + code[i] + code[i + 2 :] for i in range(len(code) - 1) if code[i] != code[i + 1]]
    swaps = [s for s in swaps if s.replace("-", "") != code.replace("-", "")]
    unnoticed = []
    for typed in slips + swaps:
        try:
            recovery.parse_recovery_code(typed)
        except WrongKey:
            continue
        unnoticed.append(typed)
    # 20 check bits let about one slip in a million through.
    assert unnoticed == []
    assert len(slips) == 36 * 31


@pytest.mark.parametrize("typed", ["", "AAAA", "A" * 37, "AAAA-" * 8 + "AA9A", "é" * 36])
def test_what_is_no_code_is_refused(typed):
    with pytest.raises(WrongKey):
        recovery.parse_recovery_code(typed)
