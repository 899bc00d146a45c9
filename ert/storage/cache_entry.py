"""One cached dose: an ERTE envelope (envelope.py) whose context is the request it answers.

Keys: HKDF-SHA256 (RFC 5869) of the file key-encryption key, info ``ert-cache/1|<site id>``, for the content; of the
index key, info ``ert-cache-name/1|<site id>``, for names. The name of an entry is the HMAC-SHA-256 of its request's
digest, so neither name nor content says anything without the site's keys.

Plaintext: u32 length of a document padded with blanks to a multiple of 64 bytes, the document (everything of the dose
but its values, and the digest of the values), the canonical bytes of the values (codec.py), and for a Monte Carlo dose
those of its standard errors, whose digest stands in the document's statistics.
"""

from __future__ import annotations

import hmac
import io
import struct
import threading
import uuid
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ert import strictjson
from ert.domain.dose import DoseResult
from ert.domain.identity import array_digest
from ert.errors import BadTag, DigestMismatch, Unavailable
from ert.storage import codec
from ert.storage.dose_content import dose_content, dose_from, has_errors
from ert.storage.envelope import Compression, FileContext, FileKind, Header, seal, unseal
from ert.storage.keys import Vault
from ert.storage.ring import KEY_BYTES

FORMAT = 1
_ITEM_BYTES = 4
_LENGTH = struct.Struct("<I")
_ALIGNMENT = 64
_MAXIMUM_DOCUMENT_BYTES = 1024 * 1024
_GENERATION = 1  # of the envelope's key: a site's new keys give other names, so old entries are never asked for


class EntrySealer:
    """Turns doses into entries and back, for one site.

    Parameters
    ----------
    vault : Vault
        The site's keys; not kept, only what is derived from them.
    """

    def __init__(self, vault: Vault) -> None:
        self._store_id = vault.store_id
        self._content_key = bytearray(_derived(vault.file_kek(vault.generation), "ert-cache", vault.store_id))
        self._name_key = bytearray(_derived(vault.index_key, "ert-cache-name", vault.store_id))
        self._lock = threading.Lock()  # a key half overwritten must not seal anything

    def close(self) -> None:
        """Overwrite the keys; every later use raises `Unavailable`."""
        with self._lock:
            for key in (self._content_key, self._name_key):
                key[:] = bytes(len(key))
                key.clear()

    def name(self, request_digest: str) -> str:
        """File name of the dose of a request, without its ending."""
        return hmac.digest(self._open(self._name_key), request_digest.encode(), "sha256").hex()

    def seal(self, result: DoseResult) -> bytes:
        """The entry of a dose."""
        content = dose_content(result)
        if not has_errors(content):
            del content["statistics"]  # so that programs before Monte Carlo read it still
        outer = {"format": FORMAT, "values_sha256": array_digest(result.gy_per_mu), "dose": content}
        text = strictjson.dump(outer)
        padded = -(-(_LENGTH.size + len(text)) // _ALIGNMENT) * _ALIGNMENT - _LENGTH.size
        arrays = (
            [result.gy_per_mu] if result.statistics is None else [result.gy_per_mu, result.statistics.relative_sigma]
        )
        buffers = [piece for array in arrays for piece in codec.array_to_buffers(array)]
        plaintext = (_LENGTH.pack(padded) + text.ljust(padded), *buffers)
        header = Header(
            kind=FileKind.CACHED_DOSE,
            compression=Compression.SHUFFLED_ZSTD,
            item_size=_ITEM_BYTES,
            generation=_GENERATION,
            file_id=uuid.uuid4(),
            length=sum(memoryview(piece).nbytes for piece in plaintext),
        )
        out = io.BytesIO()
        packed = codec.pack(plaintext, item_size=_ITEM_BYTES)
        seal(
            out, packed, header=header, context=self._context(result.request_digest), kek=self._open(self._content_key)
        )
        return out.getvalue()

    def unseal(self, request_digest: str, entry: bytes) -> DoseResult:
        """The dose in an entry.

        Raises
        ------
        BadTag
            Damaged, cut, of another request, site or key.
        DigestMismatch
            Authentic, but not what it says it is.
        SchemaTooNew
            Written by a newer version.
        """
        source = io.BytesIO(entry)
        context = self._context(request_digest)
        header, pieces = unseal(source, file_bytes=len(entry), context=context, kek_of=self._key_of)
        if header.compression is not Compression.SHUFFLED_ZSTD or header.item_size != _ITEM_BYTES:
            raise _damaged("packing")
        plaintext = memoryview(codec.unpack(pieces, length=header.length, item_size=_ITEM_BYTES))
        outer, start = _document(plaintext)
        content = outer["dose"]
        errors = None
        if has_errors(content):
            split = codec.array_end(plaintext, start)
            errors = codec.bytes_to_array(plaintext[split:])
            plaintext = plaintext[:split]
        gy_per_mu = codec.bytes_to_array(plaintext[start:])
        if content.get("request_digest") != request_digest or array_digest(gy_per_mu) != outer["values_sha256"]:
            raise DigestMismatch(
                "A cached dose is not what it says it is; it was not used.", detail="cached dose: digest"
            )
        return dose_from(content, gy_per_mu, errors)

    def _context(self, request_digest: str) -> FileContext:
        return FileContext(
            store_id=self._store_id,
            table="cache",
            record_id=request_digest,
            revision=FORMAT,
            kind=FileKind.CACHED_DOSE,
        )

    def _key_of(self, generation: int) -> bytes:
        if generation != _GENERATION:
            raise _damaged("key generation")
        return self._open(self._content_key)

    def _open(self, key: bytearray) -> bytes:
        with self._lock:
            if not key:
                raise Unavailable("The site is closed.", detail="cache keys are forgotten")
            return bytes(key)


def _document(plaintext: memoryview) -> tuple[dict[str, Any], int]:
    """The document at the start of a plaintext, and where the values begin."""
    if len(plaintext) < _LENGTH.size:
        raise _damaged("document cut")
    (length,) = _LENGTH.unpack(plaintext[: _LENGTH.size])
    end = _LENGTH.size + length
    if not length <= min(_MAXIMUM_DOCUMENT_BYTES, len(plaintext) - _LENGTH.size):
        raise _damaged("document too long")
    try:
        outer = strictjson.load(bytes(plaintext[_LENGTH.size : end]).rstrip(b" "))
    except ValueError as exc:
        raise _damaged("document is not JSON") from exc
    if not isinstance(outer, dict) or set(outer) != {"format", "values_sha256", "dose"} or outer["format"] != FORMAT:
        raise _damaged("document has other fields")
    if not isinstance(outer["dose"], dict):
        raise _damaged("document holds no dose")
    return outer, end


def _derived(key: bytes, label: str, store_id: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"{label}/1|{store_id}".encode()).derive(key)


def _damaged(detail: str) -> BadTag:
    return BadTag("A cached dose is damaged; it was not used.", detail=f"cached dose: {detail}")
