"""The site's password rule, Argon2id against its published vector, and the recovery code."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ert.app import demo
from ert.domain.password import PasswordPolicy, PasswordRule, common_words, is_good_password, password_parts
from ert.errors import InvalidSite, NotASite, Refused, WrongKey
from ert.storage import passwords, printed_code
from ert.storage.passwords import KDF_FLOOR, KdfParameters


@pytest.mark.parametrize("password", ["Radium-226!", "aB3$kwmpzt", "ÄÖÜäöü123*", "Kw3!" + "mpzt" * 31])
def test_good_passwords_pass(password):
    passwords.check_password(password)


def test_the_demonstration_can_make_its_site():
    passwords.check_password(demo.PASSWORD, names=(demo.SITE_NAME, demo.USER))


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


@pytest.mark.parametrize(
    "password",
    [
        "Password1!", "P@ssw0rd2026!", "pASSWORT#99", "$$Summer2026$$", "W3lcome1234!", "We1come-1234!", "Qwertz12345!",
        "1q2w3e4r5t!Q", "Abcdefgh12!", "9876543210aA!", "aB1!aB1!aB1!", "Aa1!Aa1!Aa1!", "AAAAaaaa11!!", "Klinik-2026!",
        "Radiotherapy1!", "PASSWORDpassword1!", "Zyxwvuts987!",
    ],
)  # fmt: skip
def test_what_is_tried_first_is_refused_however_it_is_decorated(password):
    assert all(is_met for _, is_met in password_parts(password)[:5])  # the other parts are met
    with pytest.raises(InvalidSite, match="it is made of a common word, a row of keys, or the name of"):
        passwords.check_password(password)


@pytest.mark.parametrize(
    ("password", "is_good"),
    [
        ("Marie.Curie1!", False), ("eiruC-eiraM9!", False), ("Curie-2026!#", False), ("Nordhafen#77", False),
        ("M4rie-Cur1e!", False), ("Marie-likes-Polonium-9!", True), ("Radium-226!", True),
    ],
)  # fmt: skip
def test_the_names_of_site_and_user_are_no_password(password, is_good):
    assert is_good_password(password, names=("Dr. Marie Curie", "Nordhafen Clinic")) is is_good


@pytest.mark.parametrize(
    ("password", "is_good"),
    [
        ("purple kettle ten", True), ("fifteen letters", True), ("fourteen chars", False), ("ﬁfteen letters", True),
        ("correcthorsebatterystaple", False), ("passwordpassword", False), ("aaaaaaaaaaaaaaaa", False),
        ("abcdefghijklmnop", False), ("123456789012345", False), ("x" * 3 + "kettle ten roof" * 8 + "zz", True),
        ("kettle ten roofs" * 8 + "z", False), ("雨が降る山の向こうに海が見える日", True),
    ],
)  # fmt: skip
def test_the_rule_of_sp_800_63b_4_counts_characters_and_knows_what_is_common(password, is_good):
    rule = PasswordRule(policy=PasswordPolicy.NIST)
    assert is_good_password(password, rule) is is_good
    assert not is_good_password(password)  # none of them has a digit and one of the eight signs


def test_the_word_list_is_whole_and_of_letters_only():
    words = common_words()
    assert len(words) > 500
    assert {"password", "qwertz", "linac", "correcthorsebatterystaple"} <= words
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)


@pytest.mark.parametrize("hours", [0, -1, 721])
def test_a_one_time_password_is_good_for_an_hour_to_a_month(hours):
    with pytest.raises(Refused, match="1 to 720 hours"):
        PasswordRule(one_time_hours=hours)


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
    secret = printed_code.new_secret()
    code = printed_code.format_code(secret)
    assert len(secret) * 8 == 160
    assert [len(group) for group in code.split("-")] == [4] * 9
    for typed in (
        code,
        code.lower(),
        code.replace("-", " "),
        code.replace("O", "0").replace("I", "1").replace("B", "8"),
    ):
        assert printed_code.parse_code(typed) == secret


def test_a_known_secret_has_the_code_of_its_base32_form():
    assert printed_code.format_code(bytes(20)).startswith("AAAA-" * 8)
    assert printed_code.format_code(b"\xff" * 20).startswith("7777-" * 8)


def test_every_single_slip_is_noticed():
    code = printed_code.format_code(bytes(range(20)))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    slips = [
        code[:i] + c + code[i + 1 :] for i, c in itertools.product(range(len(code)), letters) if code[i] not in ("-", c)
    ]
    swaps = [code[:i] + code[i + 1] + code[i] + code[i + 2 :] for i in range(len(code) - 1) if code[i] != code[i + 1]]
    swaps = [s for s in swaps if s.replace("-", "") != code.replace("-", "")]
    unnoticed = []
    for typed in slips + swaps:
        try:
            printed_code.parse_code(typed)
        except WrongKey:
            continue
        unnoticed.append(typed)
    # 20 check bits let about one slip in a million through.
    assert unnoticed == []
    assert len(slips) == 36 * 31


@pytest.mark.parametrize("typed", ["", "AAAA", "A" * 37, "AAAA-" * 8 + "AA9A", "é" * 36])
def test_what_is_no_code_is_refused(typed):
    with pytest.raises(WrongKey):
        printed_code.parse_code(typed)
