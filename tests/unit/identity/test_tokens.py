"""C11: forged and mutated ID tokens. Each forgery is refused by the rule it is for, and comes through without it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random

import attrs
import pytest

from ert.domain.provider import SigningAlgorithm
from ert.errors import IdentityRefused
from ert.identity.keyset import KeySet, keys_of
from ert.identity.tokens import CHECKS, Check, Expected, Rules, Validator
from tests.signing import at_hash, b64, ec_key, jwk_of, rsa_key, signature_of, text_of, token_of

ISSUER, CLIENT, NOW, NONCE, ACCESS = "https://id.clinic.example", "ert", 1_800_000_000.0, "n-0S6_WzA2Mj", "SlAV32hkKG"
KEYS = {"RS256": rsa_key(), "ES256": ec_key()}
STRANGER = {"RS256": rsa_key(), "ES256": ec_key()}
CLAIMS = {
    "iss": ISSUER, "aud": CLIENT, "sub": "248289761001", "exp": NOW + 600, "iat": NOW - 5, "nonce": NONCE,
    "auth_time": NOW - 8, "at_hash": at_hash(ACCESS), "azp": CLIENT,
}  # fmt: skip
EXPECTED = Expected(now_s=NOW, nonce=NONCE, access_token=ACCESS, subject="248289761001", authenticated_after_s=NOW - 10)


def head(algorithm, **more):
    return {"alg": algorithm, "kid": "k1", "typ": "JWT"} | more


def rules(algorithm):
    keys = keys_of({"keys": [jwk_of(KEYS[algorithm], "k1")]}, SigningAlgorithm(algorithm))
    return Rules(issuer=ISSUER, client_id=CLIENT, algorithm=SigningAlgorithm(algorithm), find_key=keys.get)


def genuine(algorithm, header=None, claims=None, key=None):
    return token_of(header or head(algorithm), claims or CLAIMS, key or KEYS[algorithm])


def without(*names):
    return {name: value for name, value in CLAIMS.items() if name not in names}


def unsigned(algorithm):
    return f"{text_of(head('none'))}.{text_of(CLAIMS)}.{b64(b'x')}"


def with_public_key_as_secret(algorithm):
    """The classic confusion: HS256 with the public key as the secret."""
    signed = f"{text_of(head('HS256'))}.{text_of(CLAIMS)}"
    secret = json.dumps(jwk_of(KEYS[algorithm], "k1")).encode()
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"


def with_other_claims(algorithm):
    first, _, last = genuine(algorithm).split(".")
    return f"{first}.{text_of(CLAIMS | {'sub': 'admin'})}.{last}"


def with_key_inside(algorithm):
    return genuine(algorithm, head(algorithm, jwk=jwk_of(STRANGER[algorithm], "k1")), key=STRANGER[algorithm])


def loose_bits(algorithm):
    """The last character of the signature with a bit set that no byte holds: decodes to the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = genuine(algorithm)
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def raw_claims(text):
    """Claims as they are written, signed by the provider."""
    return lambda algorithm: token_of(head(algorithm), text.encode(), KEYS[algorithm])


def with_claims(**changes):
    return lambda algorithm: genuine(algorithm, claims=CLAIMS | changes)


def lacking(*names):
    return lambda algorithm: genuine(algorithm, claims=without(*names))


def with_head(**changes):
    return lambda algorithm: genuine(algorithm, {n: v for n, v in head(algorithm, **changes).items() if v is not None})


DUPLICATE = json.dumps(CLAIMS)[:-1] + ', "sub": "admin"}'
NOT_A_NUMBER = json.dumps(CLAIMS).replace(str(CLAIMS["exp"]), "NaN")
# name: how it is made, the rules that catch it (all of them have to be taken away for it to come through).
FORGERIES = {
    "longer than 8 KB": (with_claims(pad="x" * 9000), ["size"]),
    "two parts": (lambda a: genuine(a).rpartition(".")[0], ["form", "canonical", "signature"]),
    "four parts": (lambda a: genuine(a) + ".AAAA", ["form", "signature"]),
    "no signature": (lambda a: genuine(a).rpartition(".")[0] + ".", ["form", "signature"]),
    "padded base64": (lambda a: genuine(a) + "=", ["form", "canonical", "signature"]),
    "blank inside": (lambda a: genuine(a)[:-4] + "\n" + genuine(a)[-4:], ["form", "canonical", "signature"]),
    "loose bits in the signature": (loose_bits, ["canonical", "signature"]),
    "algorithm none": (unsigned, ["algorithm", "signature"]),
    "algorithm none, other case": (
        lambda a: f"{text_of(head('nOnE'))}.{text_of(CLAIMS)}.{b64(b'x')}",
        ["algorithm", "signature"],
    ),
    "public key as a secret": (with_public_key_as_secret, ["algorithm", "signature"]),
    "another algorithm": (
        lambda a: genuine("ES256" if a == "RS256" else "RS256"),
        ["algorithm", "signature"],
    ),
    "algorithm left out": (with_head(alg=None), ["algorithm", "signature"]),
    "its own key, signed with it": (with_key_inside, ["key in the token", "signature"]),
    "key in jwk": (with_head(jwk={"kty": "RSA", "n": "AQAB"}), ["key in the token"]),
    "address in jku": (with_head(jku="https://evil.example/jwks"), ["key in the token"]),
    "address in x5u": (with_head(x5u="https://evil.example/cert"), ["key in the token"]),
    "certificate in x5c": (with_head(x5c=["MIIB"]), ["key in the token"]),
    "critical extension": (with_head(crit=["b64"], b64=False), ["key in the token"]),
    "access token as ID token": (with_head(typ="at+jwt"), ["type"]),
    "logout token as ID token": (with_head(typ="logout+jwt"), ["type"]),
    "no key name": (with_head(kid=None), ["key name", "signature"]),
    "unknown key": (with_head(kid="k2"), ["signature"]),
    "path as key name": (with_head(kid="../../../../dev/null"), ["signature"]),
    "key name that is no text": (with_head(kid=["k1"]), ["key name", "signature"]),
    "signed by a stranger": (lambda a: genuine(a, key=STRANGER[a]), ["signature"]),
    "claims exchanged": (with_other_claims, ["signature", "same person"]),
    "signature of zeros": (lambda a: genuine(a).rpartition(".")[0] + "." + b64(bytes(64)), ["signature"]),
    "claims in a list": (raw_claims(json.dumps([CLAIMS])), ["claims"]),
    "head in a list": (lambda a: genuine(a, [head(a)]), ["header", "signature"]),
    "subject twice": (raw_claims(DUPLICATE), ["claims", "same person"]),
    "exp that is NaN": (raw_claims(NOT_A_NUMBER), ["claims", "times"]),
    "no issuer": (lacking("iss"), ["complete"]),
    "no audience": (lacking("aud"), ["complete"]),
    "no expiry": (lacking("exp"), ["complete"]),
    "no time of issue": (lacking("iat"), ["complete"]),
    "no subject": (lacking("sub"), ["complete", "same person"]),
    "expiry as text": (with_claims(exp=str(NOW + 600)), ["times"]),
    "expiry is true": (with_claims(exp=True), ["times"]),
    "another issuer": (with_claims(iss="https://id.clinic.example.evil"), ["issuer"]),
    "issuer with a slash more": (with_claims(iss=ISSUER + "/"), ["issuer"]),
    "another audience": (with_claims(aud="another-program"), ["audience"]),
    "audience as a part of a word": (with_claims(aud="ert-admin"), ["audience"]),
    "several audiences, nobody named": (
        lambda a: genuine(a, claims=without("azp") | {"aud": [CLIENT, "other"]}), ["authorized party"],
    ),
    "asked for by another program": (with_claims(azp="other"), ["authorized party"]),
    "empty subject": (with_claims(sub=""), ["subject", "same person"]),
    "subject that is a number": (with_claims(sub=248289761001), ["subject", "same person"]),
    "somebody else": (with_claims(sub="admin"), ["same person"]),
    "expired": (with_claims(exp=NOW - 31), ["expired"]),
    "issued in the future": (with_claims(iat=NOW + 31), ["future"]),
    "valid in the future": (with_claims(nbf=NOW + 31), ["not yet"]),
    "another nonce": (with_claims(nonce="replayed"), ["nonce"]),
    "no nonce": (lacking("nonce"), ["nonce"]),
    "hash of another access token": (with_claims(at_hash=at_hash("stolen")), ["access token"]),
    "signed in long ago": (with_claims(auth_time=NOW - 3600), ["authenticated"]),
    "nobody says when": (lacking("auth_time"), ["authenticated"]),
}  # fmt: skip


def loosely(part, name):
    """What most readers of JSON do: the last of two equal keys counts, NaN is a number; here a list is looked into."""

    def holds(look):
        value = json.loads(look.part(part))
        setattr(look, name, value[0] if isinstance(value, list) else value)
        return True

    return Check(name=f"loose {name}", holds=holds, fault="")


LOOSE = {"header": loosely(0, "header"), "claims": loosely(1, "claims")}


def weakened(validator, names):
    """The validator without some rules; what the strict reader of JSON is for shows with a loose one in its place."""
    kept = [LOOSE.get(check.name) if check.name in names else check for check in CHECKS]
    return attrs.evolve(validator, checks=tuple(check for check in kept if check is not None))


@pytest.fixture(params=["RS256", "ES256"])
def algorithm(request):
    return request.param


def refusal(validator, token, expected=EXPECTED):
    """The rule that refused a token; "" if it came through."""
    try:
        validator.validate(token, expected)
    except IdentityRefused as error:
        return error.detail
    return ""


def test_the_untouched_token_is_accepted(algorithm):
    claims = Validator(rules(algorithm)).validate(genuine(algorithm), EXPECTED)
    assert claims["sub"] == "248289761001"


def test_there_are_enough_forgeries_and_every_rule_has_one():
    assert len(FORGERIES) >= 25
    caught = {name for _, names in FORGERIES.values() for name in names}
    assert {check.name for check in CHECKS} == caught


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_by_its_rule_and_accepted_without_it(name, algorithm):
    make, names = FORGERIES[name]
    token, whole = make(algorithm), Validator(rules(algorithm))
    assert refusal(whole, token) in names
    for one in names if len(names) > 1 else ():  # the others still hold
        assert refusal(weakened(whole, [one]), token) != ""
    assert refusal(weakened(whole, names), token) == ""


def mutated(token, made):
    """One random change: a character, a bit, a cut, an insertion, a swap, a part of another token, other claims."""
    at, other, which = made.randrange(len(token)), made.randrange(len(token)), made.randrange(3)
    parts = token.split(".")
    data = bytearray(base64.urlsafe_b64decode(parts[which] + "=" * (-len(parts[which]) % 4)))
    data[made.randrange(len(data))] ^= 1 << made.randrange(8)
    low, high = sorted((at, other))
    return made.choice(
        [
            token[:at] + made.choice("ABab01-_.=+/ \n\0é") + token[at + 1 :],
            token[:at] + chr(ord(token[at]) ^ (1 << made.randrange(7))) + token[at + 1 :],
            token[:at] + token[at + made.randrange(1, 9) :],
            token[:at] + made.choice(["A", "AAAA", ".", "=", token[at : at + 5]]) + token[at:],
            token[:low] + token[high] + token[low + 1 : high] + token[low] + token[high + 1 :],
            ".".join([*parts[:which], b64(made.randbytes(made.choice([1, 32, 64, 256]))), *parts[which + 1 :]]),
            ".".join([*parts[:which], b64(bytes(data)), *parts[which + 1 :]]),
        ]
    )


def test_twenty_thousand_mutations_are_refused_every_one(algorithm):
    made = random.Random(20_261_127)
    token, validator = genuine(algorithm), Validator(rules(algorithm))
    assert refusal(validator, token) == ""
    tried, accepted, reasons = 0, [], set()
    while tried < 10_000:  # for each of the two algorithms
        mutation = mutated(token, made)
        if mutation == token:
            continue
        tried += 1
        reason = refusal(validator, mutation)
        reasons.add(reason)
        if not reason:
            accepted.append(mutation)
    assert accepted == []
    assert {"form", "canonical", "header", "signature"} <= reasons


def test_the_leeway_is_thirty_seconds_to_the_second(algorithm):
    whole = Validator(rules(algorithm))
    for claims, reason in (
        ({"exp": NOW - 29}, ""),
        ({"exp": NOW - 30}, "expired"),
        ({"iat": NOW + 30}, ""),
        ({"iat": NOW + 30.5}, "future"),
        ({"nbf": NOW + 30}, ""),
        ({"nbf": NOW + 30.5}, "not yet"),
        ({"auth_time": NOW - 40}, ""),
        ({"auth_time": NOW - 40.5}, "authenticated"),
    ):
        assert refusal(whole, genuine(algorithm, claims=CLAIMS | claims)) == reason, claims


def test_what_a_provider_may_leave_out_or_add_is_accepted(algorithm):
    whole = Validator(rules(algorithm))
    plain = attrs.evolve(EXPECTED, authenticated_after_s=None, subject="")
    for claims in (without("azp"), without("at_hash", "auth_time"), CLAIMS | {"aud": [CLIENT, "other"]},
                   CLAIMS | {"aud": [CLIENT]}, CLAIMS | {"groups": ["physics"], "email": "a@b.c"}):  # fmt: skip
        assert refusal(whole, genuine(algorithm, claims=claims), plain) == ""
    assert refusal(whole, genuine(algorithm, head(algorithm, x5t="abc", typ="jwt")), plain) == ""
    assert refusal(whole, genuine(algorithm, {"alg": algorithm, "kid": "k1"}), plain) == ""
    renewal = attrs.evolve(plain, nonce=None)
    assert refusal(whole, genuine(algorithm, claims=without("nonce")), renewal) == ""


def test_a_key_is_fetched_again_when_it_is_new_and_at_most_once_a_minute():
    now, fetched = [0.0], []
    served = [{"keys": [jwk_of(KEYS["RS256"], "k1")]}]

    def fetch():
        fetched.append(now[0])
        return served[0]

    keys = KeySet(fetch, SigningAlgorithm.RS256, clock=lambda: now[0])
    assert keys.find("k1") is not None
    assert keys.find("k2") is None
    served[0] = {"keys": [jwk_of(STRANGER["RS256"], "k2")]}
    for now[0] in (1.0, 30.0, 59.9):  # a flood of invented names asks nobody
        assert keys.find("k2") is None
    assert fetched == [0.0]
    now[0] = 60.0
    assert keys.find("k2") is not None
    assert keys.find("k1") is None  # the former key is gone
    assert fetched == [0.0, 60.0]


@pytest.mark.parametrize(
    "entry",
    [
        jwk_of(KEYS["ES256"], "k1"),
        jwk_of(KEYS["RS256"], "k1", use="enc"),
        jwk_of(KEYS["RS256"], "k1", alg="RS512"),
        jwk_of(KEYS["RS256"], "k1", key_ops=["sign"]),
        jwk_of(KEYS["RS256"], ""),
        jwk_of(KEYS["RS256"], "k1", e="AQ"),
        jwk_of(KEYS["RS256"], "k1", d="AQAB"),
        jwk_of(KEYS["RS256"], "k1", n="!!"),
        jwk_of(rsa_key(1024), "k1"),
        {"kty": "oct", "kid": "k1", "k": b64(hashlib.sha256(b"secret").digest())},
        "k1",
    ],
)
def test_keys_that_may_not_verify_are_passed_over(entry):
    good = jwk_of(KEYS["RS256"], "good")
    assert set(keys_of({"keys": [entry, good]}, SigningAlgorithm.RS256)) == {"good"}
    with pytest.raises(IdentityRefused, match="hold none for RS256"):
        keys_of({"keys": [entry]}, SigningAlgorithm.RS256)


def test_a_point_off_the_curve_is_no_key():
    entry = jwk_of(KEYS["ES256"], "k1", x=b64(bytes(31) + b"\5"))
    with pytest.raises(IdentityRefused):
        keys_of({"keys": [entry]}, SigningAlgorithm.ES256)


def test_two_keys_of_one_name_are_refused():
    twice = {"keys": [jwk_of(KEYS["RS256"], "k1"), jwk_of(STRANGER["RS256"], "k1")]}
    with pytest.raises(IdentityRefused, match="one name for two"):
        keys_of(twice, SigningAlgorithm.RS256)
    with pytest.raises(IdentityRefused):
        keys_of({"keys": "none"}, SigningAlgorithm.RS256)


def test_the_signer_of_these_tests_agrees_with_a_published_example():
    """RFC 7515, appendix A.3: an ES256 token of somebody else verifies with the key printed there."""
    from joserfc import jws
    from joserfc.jwk import ECKey

    key = ECKey.import_key(
        {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
         "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
    )  # fmt: skip
    token = (
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
        "cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    assert b"joe" in jws.deserialize_compact(token, key, algorithms=["ES256"]).payload
    assert len(signature_of(KEYS["ES256"], b"x")) == 64
