"""A session that a sign-in provider vouches for: asked again from time to time, with a grace while it is silent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ert.app.identity_ports import IdentityClient
from ert.app.idle import awake_or_asleep_s
from ert.app.jobs import JobContext, Jobs, Lane
from ert.app.ports import SiteGateway
from ert.app.session import SiteSession
from ert.domain.provider import SignedIn, WayIn
from ert.errors import IdentityRefused, KeyStoreFailed, NetworkDown, SignInExpired

_HOUR_S = 3600.0


class ProviderSession:
    """Whether the provider still vouches for who is signed in.

    Parameters
    ----------
    client : IdentityClient
    way : WayIn
        Where the person signed in.
    signed_in : SignedIn
        What the provider said.
    clock : callable
        Seconds that only ever rise, also while the computer sleeps.
    """

    def __init__(
        self,
        client: IdentityClient,
        way: WayIn,
        signed_in: SignedIn,
        clock: Callable[[], float] = awake_or_asleep_s,
    ) -> None:
        self._client, self._way, self._clock = client, way, clock
        self._lock = threading.Lock()  # the timer and the lock screen may ask at once
        self._is_over, self._is_left = False, False
        self._accept(signed_in)

    def _accept(self, signed_in: SignedIn) -> None:
        self._signed_in = signed_in
        self._validated_s = self._clock()
        self._is_over = False
        self._is_silent = False

    @property
    def provider_name(self) -> str:
        """For buttons."""
        return self._way.settings.name

    @property
    def is_silent(self) -> bool:
        """Whether the provider could not be asked the last time; the session goes on in its grace."""
        return self._is_silent

    @property
    def is_over(self) -> bool:
        """Whether only signing in again goes on."""
        return self._is_over

    def validate(self) -> None:
        """Ask the provider; on a background thread.

        Raises
        ------
        SignInExpired
            It no longer vouches, or was silent for longer than the site allows.
        """
        with self._lock:
            if self._is_over:
                raise self._expired("The sign-in has ended.")
            if not self._signed_in.can_renew:
                if self._clock() - self._validated_s >= self._signed_in.lives_s:
                    raise self._ended("The sign-in has expired.")
                return
            try:
                renewed = self._client.renew(self._way, self._signed_in.identity.subject)
            except NetworkDown as error:
                self._outlast(error)
            except (SignInExpired, IdentityRefused, KeyStoreFailed) as error:
                raise self._ended(error.sentence) from error
            else:
                self._accept(renewed)
                if self._is_left:  # meanwhile: what was just kept must not stay behind
                    self._forget()

    def _outlast(self, error: NetworkDown) -> None:
        grace_h = self._way.settings.grace_hours
        if self._clock() - self._validated_s >= grace_h * _HOUR_S:
            hours = "an hour" if grace_h == 1 else f"{grace_h} hours"
            raise self._ended(
                f"{self.provider_name} could not be reached for {hours}."
                if grace_h
                else f"{self.provider_name} cannot be reached, and this site allows no grace."
            ) from error
        self._is_silent = True

    def sign_in_again(self, ctx: JobContext, on_link: Callable[[str], None]) -> None:
        """Have the same person sign in anew; raises as `IdentityClient.sign_in`."""
        subject = self._signed_in.identity.subject
        signed_in = self._client.sign_in(self._way, on_link=on_link, check=ctx.check, subject=subject)
        with self._lock:
            self._accept(signed_in)

    def end(self) -> None:
        """Forget what renewing takes: the session is over. Waits for nothing: a window that closes must not."""
        self._is_left = self._is_over = True
        self._forget()

    def _forget(self) -> None:
        self._client.forget(self._way, self._signed_in.identity.subject)

    def _ended(self, sentence: str) -> SignInExpired:
        self._is_over = True
        return self._expired(sentence)

    def _expired(self, sentence: str) -> SignInExpired:
        return SignInExpired(sentence, hint=f"Sign in with {self.provider_name} again; nothing is lost.")


def open_with_provider(
    gateway: SiteGateway,
    client: IdentityClient,
    jobs: Jobs,
    path: Path,
    way: WayIn,
    *,
    ctx: JobContext,
    on_link: Callable[[str], None],
) -> SiteSession:
    """Have somebody sign in at the provider, then open the site for him.

    Raises
    ------
    Refused, IdentityRefused, NetworkDown, KeyStoreFailed
        Nobody was signed in; the sentence says why.
    """
    signed_in = client.sign_in(way, on_link=on_link, check=ctx.check)
    ctx.check()
    ctx.seal()  # from here on somebody must own the session
    try:
        store = jobs.call(Lane.DB, lambda: gateway.open_as(path, signed_in.identity))
    except BaseException:
        client.forget(way, signed_in.identity.subject)
        raise
    session = SiteSession(store, jobs)
    session.accounts.vouched_for_by(ProviderSession(client, way, signed_in))
    return session
