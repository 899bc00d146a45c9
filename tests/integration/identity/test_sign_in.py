"""C11, end to end: a real provider process, real sockets, a real site; and everything that must not sign anybody in."""

from __future__ import annotations

import logging
import socket
import threading
import time

import attrs
import pytest

from ert import logs
from ert.domain.account import Grant
from ert.domain.provider import Identity, SigningAlgorithm, WayIn
from ert.errors import Cancelled, ErtError, IdentityRefused, NetworkDown, Refused, SignInExpired
from ert.identity.client import LONGEST_LIFE_S, OidcClient
from ert.identity.clock import WallClock
from ert.storage.assembly import SiteOptions
from ert.storage.passwords import KdfParameters
from ert.storage.sites import Sites
from ert.storage.store_file import SANDBOX
from ert.transport.https import HttpsClient, Patience
from tests.identity_people import MemoryKeyStore, running_provider

ADMIN, PASSWORD = "m.curie", "Radium-1898!"
SUBJECT, NAME = "248289761001", "anna.bauer"
QUICK = Patience(connect_s=5.0, silence_s=0.4, whole_s=0.8)


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with running_provider(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
def provider(process):
    process.control(reset=True)
    return process


@pytest.fixture
def store():
    return MemoryKeyStore()


@pytest.fixture
def client(provider, store):
    return OidcClient(store, browser=provider.browser)


@pytest.fixture
def way(provider):
    return WayIn(site_id="site-1", settings=provider.settings())


def sign_in(client, way, **more):
    return client.sign_in(way, on_link=lambda _link: None, check=lambda: None, **more)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "site"
    kdf = KdfParameters(memory_kib=8, iterations=1, lanes=1)
    pending = Sites(kind=SANDBOX, kdf=kdf).prepare(path, site_name="Test", admin_name=ADMIN, password=PASSWORD)
    pending.confirm(pending.recovery_code)
    return path


@pytest.fixture
def sites(store, tmp_path):
    options = SiteOptions(anchor_folder=tmp_path / "anchors", key_store=store)
    return Sites(options, kind=SANDBOX, kdf=KdfParameters(memory_kib=8, iterations=1, lanes=1))


@pytest.fixture
def path(template, tmp_path):
    import shutil

    return shutil.copytree(template, tmp_path / "site")


def administer(sites, path, work):
    site = sites.open(path, user_name=ADMIN, password=PASSWORD)
    try:
        return work(site)
    finally:
        site.close()


def ready(site, settings):
    """What an administrator does once: provider, account, workstation."""
    site.identities.save_provider(settings)
    account = site.identities.add_account("a.bauer", grant=Grant(), subject=SUBJECT)
    site.workstations.enrol("linac-2-console")
    return account


# ---- the whole way -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", SigningAlgorithm)
def test_a_person_signs_in_and_opens_a_real_site(provider, sites, path, store, algorithm):
    client = OidcClient(store, browser=provider.browser)
    provider.control(alg=algorithm.value)
    account = administer(sites, path, lambda site: ready(site, provider.settings(algorithm)))
    way = sites.way_in(path)
    assert (way.settings.name, way.settings.algorithm) == ("Clinic ID", algorithm)
    links = []
    signed_in = client.sign_in(way, on_link=links.append, check=lambda: None)
    assert signed_in.identity == Identity(issuer=provider.issuer, subject=SUBJECT, name=NAME)
    assert (signed_in.lives_s, signed_in.can_renew) == (300.0, True)
    assert "Go back to ERT" in provider.page
    site = sites.open_as(path, signed_in.identity)
    try:
        assert (site.user_name, site.account.id) == ("a.bauer", account.id)
        (entry,) = site.activity.entries(limit=1)
        assert (entry.event, entry.user) == ("signed in", "a.bauer")
        with pytest.raises(Refused, match="no password"):
            site.confirm_password("Whatever-1!")
    finally:
        site.close()
    (asked,) = provider.seen["authorize"]
    assert (asked["prompt"], asked["max_age"], asked["code_challenge_method"]) == ("login", "0", "S256")
    assert len(asked["state"]) >= 43
    assert len(asked["nonce"]) >= 43
    assert asked["scope"].split() == ["openid", "profile", "offline_access"]
    assert set(store.kept) == {f"workstation {way.site_id}", next(n for n in store.kept if n.startswith("refresh"))}
    assert SUBJECT not in str(set(store.kept))


def test_an_unknown_person_is_refused_with_what_an_administrator_must_do(provider, client, sites, path):
    administer(sites, path, lambda site: ready(site, provider.settings()))
    provider.control(person={"sub": "eve-7", "preferred_username": "eve"})
    signed_in = sign_in(client, sites.way_in(path))
    with pytest.raises(Refused) as refused:
        sites.open_as(path, signed_in.identity)
    assert "'eve'" in refused.value.sentence
    assert "subject 'eve-7'" in refused.value.sentence
    assert "ert user link NAME --subject eve-7" in refused.value.hint
    accounts = administer(sites, path, lambda site: [a.name for a in site.accounts.accounts()])
    assert accounts == ["a.bauer", ADMIN]  # nobody was registered


def test_no_way_in_without_enrolment_or_provider(provider, sites, path):
    assert sites.way_in(path) is None
    administer(sites, path, lambda site: site.workstations.enrol("console"))
    assert sites.way_in(path) is None
    administer(sites, path, lambda site: site.identities.save_provider(provider.settings()))
    assert sites.way_in(path) is not None
    administer(sites, path, lambda site: site.identities.save_provider(provider.settings(is_on=False)))
    assert sites.way_in(path) is None
    with pytest.raises(IdentityRefused, match="does not accept"):
        sites.open_as(path, Identity(issuer=provider.issuer, subject=SUBJECT))


def test_a_disabled_account_is_out_through_the_provider_too(provider, client, sites, path):
    account = administer(sites, path, lambda site: ready(site, provider.settings()))
    administer(sites, path, lambda site: site.accounts.disable(account.id))
    with pytest.raises(Refused, match="disabled"):
        sites.open_as(path, sign_in(client, sites.way_in(path)).identity)
    administer(sites, path, lambda site: site.accounts.enable(account.id))
    sites.open_as(path, Identity(issuer=provider.issuer, subject=SUBJECT)).close()


# ---- what must not sign anybody in -------------------------------------------------------------------------------

BROWSER_FAULTS = {
    "another state": ({"answer": {"state": "x" * 43}}, IdentityRefused, "state"),
    "no state": ({"answer": {"state": None}}, IdentityRefused, "state"),
    "another provider answers": ({"answer": {"iss": "https://evil.example"}}, IdentityRefused, "iss"),
    "nobody says which provider": ({"answer": {"iss": None}}, IdentityRefused, "iss"),
    "the person said no": ({"answer": {"error": "access_denied", "code": None}}, Refused, ""),
    "no code": ({"answer": {"code": None}}, IdentityRefused, "code"),
    "a code that was never given": ({"answer": {"code": "stolen"}}, IdentityRefused, "token"),
    "two codes": ({"more": "&code=second"}, IdentityRefused, ""),
}
TOKEN_FAULTS = {
    "another nonce": ({"claims": {"nonce": "replayed"}}, "nonce"),
    "no nonce": ({"claims": {"nonce": None}}, "nonce"),
    "another audience": ({"claims": {"aud": "other"}}, "audience"),
    "another issuer": ({"claims": {"iss": "https://evil.example"}}, "issuer"),
    "expired an hour ago": ({"claims": {"exp": 1_700_000_000}}, "expired"),
    "signed in long ago": ({"claims": {"auth_time": 1_700_000_000}}, "authenticated"),
    "another access token": ({"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, "access token"),
    "signed by a stranger": ({"stranger": True}, "signature"),
    "a key of its own": ({"header": {"jku": "https://evil.example/jwks"}}, "key in the token"),
    "an unknown key": ({"header": {"kid": "other"}}, "signature"),
    "no ID token": ({"tokens": {"id_token": None}}, "id_token"),
    "no access token": ({"tokens": {"access_token": None}}, "token"),
    "no bearer": ({"tokens": {"token_type": "mac"}}, "token"),
    "PKCE refused": ({"token_error": "invalid_grant"}, "token"),
}
DISCOVERY_FAULTS = {
    "calls itself otherwise": {"issuer": "https://evil.example"},
    "no S256": {"code_challenge_methods_supported": ["plain"]},
    "no code flow": {"response_types_supported": ["token"]},
    "another algorithm": {"id_token_signing_alg_values_supported": ["HS256"]},
    "tokens over HTTP": {"token_endpoint": "http://127.0.0.1:1/token"},
    "no keys": {"jwks_uri": None},
}


@pytest.mark.parametrize("name", BROWSER_FAULTS)
def test_an_answer_of_the_browser_that_breaks_a_rule(name, provider, client, way, store):
    fault, kind, detail = BROWSER_FAULTS[name]
    provider.faults(**fault)
    with pytest.raises(kind) as refused:
        sign_in(client, way)
    assert refused.value.detail == detail
    assert store.kept == {}
    provider.faults()
    assert sign_in(client, way).identity.subject == SUBJECT


@pytest.mark.parametrize("name", TOKEN_FAULTS)
def test_a_token_that_breaks_a_rule(name, provider, client, way, store):
    fault, detail = TOKEN_FAULTS[name]
    provider.faults(**fault)
    with pytest.raises(IdentityRefused) as refused:
        sign_in(client, way)
    assert refused.value.detail == detail
    assert store.kept == {}


@pytest.mark.parametrize("name", DISCOVERY_FAULTS)
def test_a_provider_that_says_the_wrong_thing_of_itself(name, provider, client, way):
    provider.faults(discovery=DISCOVERY_FAULTS[name])
    with pytest.raises(IdentityRefused):
        sign_in(client, way)
    with pytest.raises(IdentityRefused):
        client.probe(way.settings)
    assert provider.seen["authorize"] == []


def test_the_code_of_somebody_else_is_worth_nothing_without_the_verifier(provider, store, way):
    """PKCE: what the browser carries is not enough; the verifier never leaves the program."""
    codes = []

    def eavesdrop(address):
        answer = provider.session.get(address, allow_redirects=False, timeout=10)
        where = provider.session.get(answer.headers["Location"], allow_redirects=False, timeout=10).headers["Location"]
        codes.append(where.partition("code=")[2].partition("&")[0])
        form = {"grant_type": "authorization_code", "code": codes[0], "client_id": "ert-desktop",
                "redirect_uri": where.partition("?")[0], "code_verifier": "x" * 43}  # fmt: skip
        stolen = provider.session.post(f"{provider.issuer}/token", data=form, timeout=10)
        codes.append((stolen.status_code, stolen.json()["error_description"]))
        provider.session.get(where, timeout=10)
        return True

    with pytest.raises(IdentityRefused):  # the thief spoilt the code
        sign_in(OidcClient(store, browser=eavesdrop), way)
    assert codes[1] == (400, "PKCE")


def test_an_answer_to_an_earlier_sign_in_opens_nothing(provider, store, way):
    addresses = []

    def keep(address):
        answer = provider.session.get(address, allow_redirects=False, timeout=10)
        addresses.append(provider.session.get(answer.headers["Location"], allow_redirects=False, timeout=10))
        provider.session.get(addresses[-1].headers["Location"], timeout=10)
        return True

    client = OidcClient(store, browser=keep)
    assert sign_in(client, way).identity.subject == SUBJECT
    former = addresses[0].headers["Location"].partition("?")[2]

    def replay(address):
        where = dict(pair.partition("=")[::2] for pair in address.partition("?")[2].split("&"))["redirect_uri"]
        provider.session.get(requests_unquote(where) + "?" + former, timeout=10)
        return True

    with pytest.raises(IdentityRefused) as refused:
        sign_in(OidcClient(store, browser=replay), way)
    assert refused.value.detail == "state"


def requests_unquote(text):
    from urllib.parse import unquote

    return unquote(text)


def test_another_page_than_ours_and_another_name_for_this_computer_are_answered_with_nothing(provider, store, way):
    statuses = []

    def probe(address):
        where = requests_unquote(
            dict(p.partition("=")[::2] for p in address.partition("?")[2].split("&"))["redirect_uri"]
        )
        root = where.removesuffix("/callback")
        statuses.append(provider.session.get(f"{root}/other?code=1", timeout=10).status_code)
        evil = {"Host": "evil.example"}  # a name that was made to lead here
        statuses.append(provider.session.get(f"{where}?code=1", headers=evil, timeout=10).status_code)
        statuses.append(provider.session.post(f"{where}", data={"code": "1"}, timeout=10).status_code)
        return provider.browser(address)

    assert sign_in(OidcClient(store, browser=probe), way).identity.subject == SUBJECT
    assert statuses == [404, 404, 501]


def test_nobody_answers_and_cancel(provider, store, way):
    with pytest.raises(Refused, match="Nobody finished"):
        sign_in(OidcClient(store, browser=lambda _address: True, wait_s=0.2), way)
    with pytest.raises(Refused, match="No browser"):
        sign_in(OidcClient(store, browser=lambda _address: False), way)
    calls = []

    def check():
        calls.append(1)
        if len(calls) > 3:
            raise Cancelled("Stopped.")

    client = OidcClient(store, browser=lambda _address: True)
    with pytest.raises(Cancelled):
        client.sign_in(way, on_link=lambda _link: None, check=check)
    assert not [t for t in threading.enumerate() if t.name == "loopback"]


# ---- the network -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["/.well-known/openid-configuration", "/token", "/jwks"])
@pytest.mark.parametrize(
    "trouble",
    [
        ("status", 503, NetworkDown),
        ("silence", 2, NetworkDown),
        ("drip", 0.1, NetworkDown),
        ("redirect", "https://evil.example/", IdentityRefused),
        ("long", 300_000, IdentityRefused),
        ("text", '{"keys": NaN}', IdentityRefused),
    ],
)
def test_a_provider_in_trouble(where, trouble, provider, store, way):
    *trouble, kind = trouble
    provider.faults(trouble={where: trouble})
    client = OidcClient(store, browser=provider.browser, patience=QUICK)
    began_s = time.monotonic()
    with pytest.raises(kind) as refused:
        sign_in(client, way)
    assert time.monotonic() - began_s < 5.0  # the drip alone would go on for ever
    assert refused.value.hint or kind is IdentityRefused
    assert store.kept == {}


def test_a_certificate_nobody_vouches_for_and_a_port_nobody_listens_on(provider, store, way, monkeypatch, tmp_path):
    system = attrs.evolve(way, settings=provider.settings(ca_pem=""))
    with pytest.raises(NetworkDown, match="certificate"):
        sign_in(OidcClient(store, browser=provider.browser), system)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(provider.folder / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with pytest.raises(NetworkDown, match="certificate"):
        sign_in(OidcClient(store, browser=provider.browser), system)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert sign_in(OidcClient(store, browser=provider.browser), way).can_renew
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"https://127.0.0.1:{taken.getsockname()[1]}"
        away = attrs.evolve(way, settings=provider.settings(issuer=nowhere))
        with pytest.raises(NetworkDown, match="cannot be reached"):
            sign_in(OidcClient(store, browser=provider.browser), away)
    with pytest.raises(IdentityRefused, match="not HTTPS"):
        HttpsClient().get("http://127.0.0.1/")
    with pytest.raises(IdentityRefused, match="cannot be read"):
        HttpsClient("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")


# ---- keys, clocks, renewal ---------------------------------------------------------------------------------------


def test_keys_that_were_exchanged_are_fetched_once_and_a_flood_of_names_fetches_nothing(provider, client, way):
    sign_in(client, way)
    sign_in(client, way)
    assert provider.seen["jwks"] == 1
    provider.control(rotate=True)
    with pytest.raises(IdentityRefused):  # within a minute of the last fetch
        sign_in(client, way)
    fresh = client._known[way.settings][1]
    fresh._fetched_s -= 61
    assert sign_in(client, way).identity.subject == SUBJECT
    assert provider.seen["jwks"] == 2
    provider.faults(header={"kid": "invented"})
    for _ in range(3):
        with pytest.raises(IdentityRefused):
            sign_in(client, way)
    assert provider.seen["jwks"] == 2


@pytest.mark.parametrize(
    ("shift_s", "reason"),
    [(-40, "future"), (-25, ""), (25, ""), (320, ""), (340, "expired"), (86_400, "expired")],
)
def test_a_clock_that_is_wrong(shift_s, reason, provider, store, way):
    clock = WallClock(wall=lambda: time.time() + shift_s)
    client = OidcClient(store, browser=provider.browser, clock=clock)
    # Whoever is fast would also take the sign-in for an old one; that is looked at in the tests of tokens.
    ahead = max(0, int(shift_s)) + 1
    provider.faults(claims={"auth_time": int(time.time()) + ahead})
    if not reason:
        assert sign_in(client, way).identity.subject == SUBJECT
        return
    with pytest.raises(IdentityRefused) as refused:
        sign_in(client, way)
    assert refused.value.detail == reason
    assert "clock" in refused.value.hint


def test_a_clock_put_back_makes_nothing_valid_again_and_is_written_down(caplog):
    wall, steady = [1000.0], [0.0]
    clock = WallClock(wall=lambda: wall[0], steady=lambda: steady[0])
    wall[0], steady[0] = 2000.0, 1000.0
    assert clock.now_s() == 2000.0
    assert caplog.records == []
    wall[0], steady[0] = 1500.0, 1001.0
    assert clock.now_s() == 2000.0
    assert clock.is_behind
    assert "moved by -501 s" in caplog.text
    wall[0], steady[0] = 2119.0, 1500.0
    assert clock.now_s() == 2119.0
    assert len(caplog.records) == 1
    wall[0] += 119.0
    clock.now_s()
    assert len(caplog.records) == 1
    wall[0] += 121.0
    clock.now_s()
    assert "moved by 121 s" in caplog.text


def test_a_renewal_asks_the_provider_and_uses_each_refresh_token_once(provider, client, way, store):
    sign_in(client, way)
    (name,) = store.kept
    first = store.kept[name]
    assert client.renew(way, SUBJECT).can_renew
    assert store.kept[name] != first
    assert provider.seen["token"] == ["authorization_code", "refresh_token"]
    newest, store.kept[name] = store.kept[name], first
    with pytest.raises(SignInExpired, match="has ended the sign-in"):
        client.renew(way, SUBJECT)
    store.kept[name] = newest
    provider.faults(tokens={"id_token": None, "refresh_token": None, "expires_in": 86_400})
    renewed = client.renew(way, SUBJECT)  # a provider may leave both out
    assert renewed.identity.subject == SUBJECT
    assert renewed.lives_s == LONGEST_LIFE_S == 900.0
    client.forget(way, SUBJECT)
    assert store.kept == {}
    with pytest.raises(SignInExpired, match="another window"):
        client.renew(way, SUBJECT)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"claims": {"sub": "eve-7"}}, IdentityRefused),
        ({"stranger": True}, IdentityRefused),
        ({"token_error": "invalid_grant"}, SignInExpired),
        ({"trouble": {"/token": ["status", 502]}}, NetworkDown),
        ({"trouble": {"/token": ["silence", 2]}}, NetworkDown),
        ({"trouble": {"/token": ["redirect", "https://evil.example/"]}}, IdentityRefused),
    ],
)
def test_a_renewal_that_is_none(fault, kind, provider, store, way):
    client = OidcClient(store, browser=provider.browser, patience=QUICK)
    sign_in(client, way)
    kept = dict(store.kept)
    provider.faults(**fault)
    with pytest.raises(kind) as refused:
        client.renew(way, SUBJECT)
    assert isinstance(refused.value, ErtError)
    assert set(store.kept) == set(kept)


def test_only_the_same_person_signs_in_again(provider, client, way):
    sign_in(client, way)
    provider.control(person={"sub": "eve-7", "preferred_username": "eve"})
    with pytest.raises(IdentityRefused) as refused:
        sign_in(client, way, subject=SUBJECT)
    assert refused.value.detail == "same person"


def test_nothing_of_a_sign_in_is_written_into_logs_or_the_site(provider, sites, path, store, tmp_path):
    folder = tmp_path / "log"
    logs.start(folder)
    client = OidcClient(store, browser=provider.browser)
    try:
        administer(sites, path, lambda site: ready(site, provider.settings()))
        way = sites.way_in(path)
        sites.open_as(path, sign_in(client, way).identity).close()
        client.renew(way, SUBJECT)
        provider.faults(claims={"nonce": "replayed-nonce"})
        with pytest.raises(IdentityRefused):
            sign_in(client, way)
        logging.getLogger("ert.test").error("after all", exc_info=Refused(f"The provider knows '{NAME}'."))
    finally:
        logs.stop()
    secrets = {SUBJECT, NAME, "replayed-nonce"}
    secrets |= {value for asked in provider.seen["authorize"] for value in (asked["state"], asked["nonce"])}
    secrets |= {part for entry in store.kept.values() for part in entry.split()[-1:]}
    assert len(secrets) == 9
    written = [p for p in [*folder.rglob("*"), *path.rglob("*"), *(tmp_path / "anchors").rglob("*")] if p.is_file()]
    assert any(p.stat().st_size for p in folder.rglob("*"))
    found = [(p.name, s) for p in written for s in secrets if s.encode() in p.read_bytes()]
    assert found == []


def test_a_provider_that_died_is_no_answer_and_costs_nothing(store, tmp_path):
    with running_provider(tmp_path / "first") as first:
        way = WayIn(site_id="site-1", settings=first.settings())
        client = OidcClient(store, browser=first.browser)
        sign_in(client, way)
    kept = dict(store.kept)
    with pytest.raises(NetworkDown, match="cannot be reached"):
        client.renew(way, SUBJECT)
    with pytest.raises(NetworkDown, match="cannot be reached"):
        sign_in(client, way)
    assert store.kept == kept  # the grace goes on: what renewing takes is still there
