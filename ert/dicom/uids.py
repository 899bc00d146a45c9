"""UIDs of what ERT writes: derived from content, so that the same revision always exports the same files.

A UID is ``2.25.`` and the decimal form of a UUID (DICOM PS3.5 B.2, ISO/IEC 9834-8); the UUID is made from the SHA-256
of the parts that name the object (version 8, RFC 9562: free form). No registered root is needed.
"""

from __future__ import annotations

import hashlib
import uuid

IMPLEMENTATION_CLASS_UID = "2.25.118245673021918873220163461095318230421"
IMPLEMENTATION_VERSION = "ERT_0_1"
_VERSION_BITS = 0x8 << 76
_VARIANT_BITS = 0x2 << 62
_CLEAR = ~((0xF << 76) | (0x3 << 62))


def uid_for(*parts: str) -> str:
    """The UID of what the parts name, the same on every machine and at every time."""
    digest = hashlib.sha256("\x1f".join(("ert", *parts)).encode()).digest()
    value = int.from_bytes(digest[:16], "big") & _CLEAR | _VERSION_BITS | _VARIANT_BITS
    return f"2.25.{uuid.UUID(int=value).int}"
