"""Secrets in the key store of the operating system: what a workstation may keep without writing it into a file.

On Linux this is the Secret Service (GNOME Keyring, KWallet), on Windows the Credential Manager, on macOS the Keychain.
The store belongs to whoever is signed in to the operating system. Only stores that encrypt what they hold are used:
``keyring`` would take a plain file, or nothing at all, without saying so.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Protocol

from ert.errors import KeyStoreFailed

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "ert"
SAFE_BACKENDS = frozenset(
    {
        "keyring.backends.SecretService.Keyring",
        "keyring.backends.libsecret.Keyring",
        "keyring.backends.kwallet.DBusKeyring",
        "keyring.backends.macOS.Keyring",
        "keyring.backends.Windows.WinVaultKeyring",
    }
)
_MAXIMUM_CHARACTERS = 16 * 1024


class KeyStore(Protocol):
    """Keeps a few short secrets for this user on this workstation."""

    def read(self, name: str) -> str | None:
        """Return a secret; None if there is none of that name."""

    def write(self, name: str, secret: str) -> None:
        """Keep a secret in the place of one of the same name."""

    def remove(self, name: str) -> None:
        """Forget a secret, if there is one of that name."""


class OsKeyStore:
    """The key store of the operating system, through the package ``keyring`` (port `KeyStore`).

    Parameters
    ----------
    safe_backends : set of str
        Full names of the backends that may be used.
    """

    def __init__(self, safe_backends: frozenset[str] = SAFE_BACKENDS) -> None:
        self._safe = safe_backends

    def read(self, name: str) -> str | None:
        """Return a secret; None if there is none of that name.

        Raises
        ------
        KeyStoreFailed
            There is no key store that may be used, or it is locked.
        """
        import keyring.errors

        backend = self._backend()
        try:
            found: str | None = backend.get_password(SERVICE, name)
        except (keyring.errors.KeyringError, OSError) as error:
            raise _failed("read", error) from error
        return found

    def write(self, name: str, secret: str) -> None:
        """Keep a secret, and see that it can be read again; raises `KeyStoreFailed`."""
        import keyring.errors

        if len(secret) > _MAXIMUM_CHARACTERS:
            raise KeyStoreFailed("A secret is too long for the key store of this workstation; it was not kept.")
        backend = self._backend()
        try:
            backend.set_password(SERVICE, name, secret)
            kept = backend.get_password(SERVICE, name)
        except (keyring.errors.KeyringError, OSError) as error:
            raise _failed("write to", error) from error
        if kept != secret:
            raise KeyStoreFailed(
                "The key store of this workstation did not keep what was given to it.",
                hint="Unlock it (GNOME: Passwords and Keys; KDE: KWallet), then try again.",
                detail=type(backend).__name__,
            )

    def remove(self, name: str) -> None:
        """Forget a secret, if there is one of that name; raises `KeyStoreFailed`."""
        import keyring.errors

        backend = self._backend()
        try:
            if backend.get_password(SERVICE, name) is not None:
                backend.delete_password(SERVICE, name)
        except (keyring.errors.KeyringError, OSError) as error:
            raise _failed("remove from", error) from error

    def _backend(self) -> KeyringBackend:
        """The backend that ``keyring`` chose, or the first safe one of its chain."""
        if importlib.util.find_spec("keyring") is None:
            raise KeyStoreFailed(
                "The key store of this workstation cannot be reached: the package 'keyring' is not installed.",
                hint="Install ERT with its extra 'keyring'.",
            )
        import keyring

        chosen = keyring.get_keyring()
        candidates: list[KeyringBackend] = [chosen, *getattr(chosen, "backends", ())]
        for backend in candidates:
            if _name(backend) in self._safe:
                return backend
        raise KeyStoreFailed(
            f"This workstation has no key store that may hold a key of the site ('{_name(chosen)}' is none).",
            hint="Start one that encrypts (GNOME Keyring or KWallet), sign in to the desktop again, then start ERT "
            "again.",
            detail=_name(chosen),
        )


def _name(backend: object) -> str:
    kind = type(backend)
    return f"{kind.__module__}.{kind.__qualname__}"


def _failed(doing: str, error: BaseException) -> KeyStoreFailed:
    return KeyStoreFailed(
        f"ERT could not {doing} the key store of this workstation.",
        hint="Unlock it (GNOME: Passwords and Keys; KDE: KWallet), then try again.",
        detail=type(error).__name__,
    )
