"""How long a sign-in stands: renewed, refused, silent, without refresh tokens, left in the middle of being asked."""

from __future__ import annotations

import pytest

from ert.app.provider_session import ProviderSession
from ert.domain.provider import WayIn
from ert.errors import SignInExpired
from ert.identity.client import OidcClient
from tests.identity_people import MemoryKeyStore, running_provider

DOWN = {"trouble": {"/token": ["status", 503]}}


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with running_provider(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


@pytest.fixture
def provider(process):
    process.control(reset=True)
    return process


@pytest.fixture
def begin(provider):
    """A session with a clock of the test's own, and the key store it uses."""

    def made(**settings):
        store, now = MemoryKeyStore(), [1000.0]
        client = OidcClient(store, browser=provider.browser)
        way = WayIn(site_id="site-1", settings=provider.settings(**settings))
        signed_in = client.sign_in(way, on_link=lambda _link: None, check=lambda: None)
        return ProviderSession(client, way, signed_in, clock=lambda: now[0]), now, store

    return made


def test_each_answer_begins_the_grace_anew(provider, begin):
    session, now, _ = begin(grace_hours=1)
    provider.faults(**DOWN)
    now[0] += 3599.0
    session.validate()
    assert session.is_silent
    provider.faults()
    now[0] += 3600.0  # over an hour since the sign-in, but the provider answers
    session.validate()
    assert not session.is_silent
    provider.faults(**DOWN)
    now[0] += 3599.0
    session.validate()
    now[0] += 1.0
    with pytest.raises(SignInExpired, match="could not be reached for an hour"):
        session.validate()
    assert session.is_over
    provider.faults()
    with pytest.raises(SignInExpired, match="has ended"):  # its coming back changes nothing
        session.validate()


def test_without_a_grace_the_first_silence_ends_it(provider, begin):
    session, _, _ = begin(grace_hours=0)
    session.validate()
    provider.faults(**DOWN)
    with pytest.raises(SignInExpired, match="allows no grace") as expired:
        session.validate()
    assert "Sign in with Clinic ID again; nothing is lost" in expired.value.hint


def test_without_refresh_tokens_it_lasts_as_long_as_the_token(provider, begin):
    provider.faults(tokens={"refresh_token": None, "expires_in": 300})
    session, now, store = begin()
    assert store.kept == {}
    now[0] += 299.0
    session.validate()
    now[0] += 1.0
    with pytest.raises(SignInExpired, match="has expired"):
        session.validate()
    provider.faults(tokens={"refresh_token": None, "expires_in": 86_400})
    session, now, _ = begin()
    now[0] += 900.0  # a long-lived token counts for a quarter of an hour
    with pytest.raises(SignInExpired):
        session.validate()


def test_a_session_left_while_it_is_renewed_leaves_nothing_in_the_key_store(begin):
    session, _, store = begin()
    write = store.write

    def leave_first(name, secret):
        session.end()
        write(name, secret)

    store.write = leave_first
    session.validate()
    assert store.kept == {}
    with pytest.raises(SignInExpired):
        session.validate()
