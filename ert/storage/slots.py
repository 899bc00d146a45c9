"""Key slots: the ways into a site. Each file ``keys/slots/<id>.json`` gives the master key to one password or code.

A slot has an X25519 key pair. The master key is sealed to the public half with HPKE (RFC 9180: X25519, HKDF-SHA-256,
AES-256-GCM), so it can later be replaced without knowing anybody's password. The private half comes

- in a *password* slot: decrypted with the Argon2id key of the password, together with the user's Ed25519 signing key;
- in the *emergency* slot: the same way, with the code in the sealed envelope as the password;
- in the *recovery* slot: derived (HKDF-SHA-256) from the 160-bit recovery code;
- in a *workstation* slot: derived the same way from 256 random bits in the key store of the operating system there.

A code over the whole slot under the audit key shows whether somebody without keys put in a slot of his own.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import secrets
import unicodedata
from typing import Any

from attrs import evolve, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ert import strictjson
from ert.domain.identity import new_id
from ert.errors import BadTag, NotASite, SchemaTooNew
from ert.storage.keys import Vault
from ert.storage.passwords import SALT_BYTES, KdfParameters, derive_password_key

FORMAT = 1
PASSWORD = "password"
EMERGENCY = "emergency"
RECOVERY = "recovery"
WORKSTATION = "workstation"
WORKSTATION_SECRET_BYTES = 32
_WITH_PASSWORD = frozenset({PASSWORD, EMERGENCY})
_NOBODYS_LOGIN = "\N{NULL}emergency"  # no user's name can hold that character
_DOMAIN = "slot/1"
_NONCE_BYTES = 12
_PRIVATE_BYTES = 32
_MAXIMUM_SLOT_BYTES = 16 * 1024
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_TEXT_FIELDS = ("slot_id", "store_id", "user_id", "login_tag", "created_utc")
_BYTE_FIELDS = ("salt", "public_x25519", "public_ed25519", "sealed_private", "sealed_master", "code")


@frozen(kw_only=True, repr=False)
class Slot:
    """One slot file. `kdf`, `public_ed25519` and `sealed_private` are empty where no password opens it."""

    kind: str
    slot_id: str
    store_id: str
    user_id: str
    login_tag: str
    created_utc: str
    kdf: KdfParameters | None
    salt: bytes
    public_x25519: bytes
    public_ed25519: bytes
    sealed_private: bytes
    generation: int
    sealed_master: bytes
    code: bytes = b""

    @property
    def mark(self) -> str:
        """Tells this slot from the one that takes its place when the password changes; nothing secret."""
        return hashlib.sha256(b"ert-slot-mark/1" + self.salt).hexdigest()[:16]

    def to_json(self) -> bytes:
        """Return the file's bytes."""
        return strictjson.dump(self._document())

    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "format": FORMAT,
            "kind": self.kind,
            "slot_id": self.slot_id,
            "store_id": self.store_id,
            "user_id": self.user_id,
            "login_tag": self.login_tag,
            "created_utc": self.created_utc,
            "kdf": self.kdf.to_json() if self.kdf is not None else None,
            "generation": self.generation,
        }
        return document | {name: base64.b64encode(getattr(self, name)).decode("ascii") for name in _BYTE_FIELDS}

    def _private_context(self) -> bytes:
        """Return what the encrypted private keys are bound to: everything that stays when keys are rotated."""
        document = self._document()
        for name in ("sealed_private", "sealed_master", "generation", "code"):
            del document[name]
        return strictjson.dump(document)

    def _master_context(self) -> bytes:
        return f"ert-slot/1|{self.store_id}|{self.slot_id}|{self.generation}".encode("ascii")

    def _coded(self) -> bytes:
        document = self._document()
        del document["code"]
        return strictjson.dump(document)

    def check_code(self, vault: Vault) -> None:
        """Refuse a slot that was not made by somebody holding this site's keys."""
        if not vault.vouches(self.code, _DOMAIN, self._coded()):
            raise BadTag(
                "A key slot of this site was changed by somebody without its keys.",
                hint="Call physics and restore the folder keys/ from a backup.",
                detail=f"slot {self.slot_id}",
            )


def login_tag(store_id: str, login: str) -> str:
    """Return the name under which a login's slot is found; slot files show no names of staff."""
    text = unicodedata.normalize("NFKC", login).casefold().strip()
    return hashlib.sha256(f"ert-login/1|{store_id}|{text}".encode()).hexdigest()[:32]


def make_password_slot(
    vault: Vault,
    *,
    login: str,
    user_id: str,
    password: str,
    parameters: KdfParameters,
    created: dt.datetime,
    slot_id: str | None = None,
    signing: Ed25519PrivateKey | None = None,
    kind: str = PASSWORD,
) -> Slot:
    """Return a slot with a fresh X25519 key for one user, and a fresh Ed25519 key if none is given.

    Give `slot_id` to replace a slot.
    """
    agreement = X25519PrivateKey.generate()
    signing = Ed25519PrivateKey.generate() if signing is None else signing
    slot = Slot(
        kind=kind,
        slot_id=slot_id if slot_id is not None else new_id(),
        store_id=vault.store_id,
        user_id=user_id,
        login_tag=login_tag(vault.store_id, login),
        created_utc=created.isoformat(),
        kdf=parameters,
        salt=secrets.token_bytes(SALT_BYTES),
        public_x25519=agreement.public_key().public_bytes_raw(),
        public_ed25519=signing.public_key().public_bytes_raw(),
        sealed_private=b"",
        generation=vault.ring,
        sealed_master=b"",
    )
    key = derive_password_key(password, salt=slot.salt, parameters=parameters)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    private = agreement.private_bytes_raw() + signing.private_bytes_raw()
    sealed = nonce + AESGCM(key).encrypt(nonce, private, slot._private_context())
    return reseal(evolve(slot, sealed_private=sealed), vault)


def emergency_tag(store_id: str) -> str:
    """Return the name under which the emergency slot is found and its attempts are counted."""
    return login_tag(store_id, _NOBODYS_LOGIN)


def make_emergency_slot(vault: Vault, *, code: str, parameters: KdfParameters, created: dt.datetime) -> Slot:
    """Return the slot that the code in a sealed envelope opens: its own user, whose signing key signs nothing."""
    slot_id = new_id()
    return make_password_slot(
        vault,
        login=_NOBODYS_LOGIN,
        user_id=slot_id,
        password=code,
        parameters=parameters,
        created=created,
        slot_id=slot_id,
        kind=EMERGENCY,
    )


def make_recovery_slot(vault: Vault, *, secret: bytes, created: dt.datetime) -> Slot:
    """Return the slot that the recovery code opens."""
    return _secret_slot(vault, RECOVERY, secret=secret, created=created)


def make_workstation_slot(vault: Vault, *, secret: bytes, created: dt.datetime) -> Slot:
    """Return the slot that `WORKSTATION_SECRET_BYTES` in the key store of a workstation open."""
    if len(secret) != WORKSTATION_SECRET_BYTES:
        raise ValueError("a workstation's secret has another length")
    return _secret_slot(vault, WORKSTATION, secret=secret, created=created)


def _secret_slot(vault: Vault, kind: str, *, secret: bytes, created: dt.datetime) -> Slot:
    salt = secrets.token_bytes(SALT_BYTES)
    agreement = _derived_private_key(kind, secret, salt=salt, store_id=vault.store_id)
    slot = Slot(
        kind=kind,
        slot_id=new_id(),
        store_id=vault.store_id,
        user_id="",
        login_tag="",
        created_utc=created.isoformat(),
        kdf=None,
        salt=salt,
        public_x25519=agreement.public_key().public_bytes_raw(),
        public_ed25519=b"",
        sealed_private=b"",
        generation=vault.ring,
        sealed_master=b"",
    )
    return reseal(slot, vault)


def open_password_slot(slot: Slot, password: str) -> bytes | None:
    """Return the master key, or None if the password (or the slot) is wrong: the two cannot be told apart."""
    private = _private_keys(slot, password)
    return None if private is None else _unsealed(slot, X25519PrivateKey.from_private_bytes(private[:_PRIVATE_BYTES]))


def signing_key(slot: Slot, password: str) -> Ed25519PrivateKey | None:
    """Return the user's signing key, or None if the password (or the slot) is wrong."""
    private = _private_keys(slot, password)
    return None if private is None else Ed25519PrivateKey.from_private_bytes(private[_PRIVATE_BYTES:])


def _private_keys(slot: Slot, password: str) -> bytes | None:
    """The X25519 and Ed25519 private keys in a password slot, None if it does not open."""
    if slot.kdf is None:
        return None
    key = derive_password_key(password, salt=slot.salt, parameters=slot.kdf)
    nonce, sealed = slot.sealed_private[:_NONCE_BYTES], slot.sealed_private[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, sealed, slot._private_context())
    except (InvalidTag, ValueError):
        return None


def open_recovery_slot(slot: Slot, secret: bytes) -> bytes | None:
    """Return the master key, or None if the code is not this site's."""
    return _open_secret_slot(slot, secret)


def open_workstation_slot(slot: Slot, secret: bytes) -> bytes | None:
    """Return the master key, or None if the secret belongs to another slot."""
    return _open_secret_slot(slot, secret)


def _open_secret_slot(slot: Slot, secret: bytes) -> bytes | None:
    agreement = _derived_private_key(slot.kind, secret, salt=slot.salt, store_id=slot.store_id)
    if not hmac.compare_digest(agreement.public_key().public_bytes_raw(), slot.public_x25519):
        return None
    return _unsealed(slot, agreement)


def read_slot(data: bytes) -> Slot:
    """Return the slot in a file's bytes.

    Raises
    ------
    NotASite
        Not a slot file.
    SchemaTooNew
        Written by a newer version.
    """
    try:
        return _slot_of(strictjson.load(data, maximum_bytes=_MAXIMUM_SLOT_BYTES))
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise NotASite(
            "A key slot of this site cannot be read.",
            hint="Restore the folder keys/ from a backup.",
            detail=f"slot: {type(exc).__name__}",
        ) from exc


def _slot_of(document: dict[str, Any]) -> Slot:
    version = document.pop("format")
    if type(version) is int and version > FORMAT:
        raise SchemaTooNew(
            "A key slot of this site was written by a newer version of the program.", hint="Update the program."
        )
    if (
        version != FORMAT
        or document["kind"] not in _WITH_PASSWORD | {RECOVERY, WORKSTATION}
        or type(document["generation"]) is not int
    ):
        raise ValueError("format, kind or generation")
    if any(type(document[name]) is not str for name in _TEXT_FIELDS):
        raise ValueError("a text is none")
    for name in _BYTE_FIELDS:
        document[name] = base64.b64decode(document[name], validate=True)
    if len(document["salt"]) != SALT_BYTES or len(document["public_x25519"]) != _PRIVATE_BYTES:
        raise ValueError("salt or public key has an impossible length")
    if (document["kind"] in _WITH_PASSWORD) != (document["kdf"] is not None):
        raise ValueError("kdf does not fit the kind")
    if document["kdf"] is not None:
        document["kdf"] = KdfParameters.from_json(document["kdf"])
    return Slot(**document)


def reseal(slot: Slot, vault: Vault) -> Slot:
    """Return the slot opening the vault's present master key; passwords and codes stay as they are.

    The caller has checked the slot's code: who put in a slot without the keys gets none.
    """
    slot = evolve(slot, generation=vault.ring)
    public = X25519PublicKey.from_public_bytes(slot.public_x25519)
    return vouched(
        evolve(slot, sealed_master=_SUITE.encrypt(vault.master_key, public, info=slot._master_context())), vault
    )


def vouched(slot: Slot, vault: Vault) -> Slot:
    """Return the slot with its code under the vault's audit key in use."""
    return evolve(slot, code=vault.authentication_code(_DOMAIN, slot._coded()))


def _unsealed(slot: Slot, private: X25519PrivateKey) -> bytes | None:
    try:
        master: bytes = _SUITE.decrypt(slot.sealed_master, private, info=slot._master_context())
    except InvalidTag:
        return None
    return master


def _derived_private_key(kind: str, secret: bytes, *, salt: bytes, store_id: str) -> X25519PrivateKey:
    info = f"ert-{kind}/1|{store_id}".encode("ascii")
    return X25519PrivateKey.from_private_bytes(HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(secret))
