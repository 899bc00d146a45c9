"""Computers of a Dask cluster for dose tasks, reached over TLS with certificates on both sides (extra ``cluster``)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from ert.errors import Refused, Unavailable

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_PATIENCE_S = 30.0


@attrs.frozen(kw_only=True)
class ClusterAccess:
    """Where the scheduler is, and how each side knows the other.

    Attributes
    ----------
    address : ``tls://host:port``.
    ca, certificate, key : PEM files; the authority that signs scheduler and workers, and this program's own pair.
    is_plain_allowed : lets ``tcp://`` be used on this very computer.
    """

    address: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    is_plain_allowed: bool = False

    def __attrs_post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in ("tls", "tcp") or not parts.hostname:
            raise Refused(f"'{self.address}' is no address of a cluster.", hint="Write tls://host:port.")
        if parts.scheme == "tcp" and not (self.is_plain_allowed and parts.hostname in _LOOPBACK):
            raise Refused(
                f"A cluster is reached over TLS only, not at {self.address}: tasks hold patients' CT and could be "
                "changed on their way.",
                hint="Use tls://; on this computer alone --plain-loopback allows tcp://127.0.0.1.",
            )
        files = (self.ca, self.certificate, self.key)
        if parts.scheme == "tls" and any(f is None for f in files):
            raise Refused(
                "TLS needs the certificate of the authority, this program's certificate and its key.",
                hint="Give --tls-ca, --tls-cert and --tls-key.",
            )
        for file in files:
            if file is not None and not file.is_file():
                raise Refused(f"There is no certificate or key '{file}'.")

    @property
    def is_encrypted(self) -> bool:
        """True for TLS."""
        return urlsplit(self.address).scheme == "tls"


@contextmanager
def cluster_pool(access: ClusterAccess) -> Iterator[tuple[Executor, int]]:
    """The cluster as an executor, and how many workers it has.

    Raises
    ------
    Refused
        The extra ``cluster`` is not installed, or the cluster has no workers.
    Unavailable
        It cannot be reached, or does not trust these certificates.
    """
    try:
        distributed: Any = importlib.import_module("distributed")  # an optional extra, without types
    except ImportError as missing:
        raise Refused("The extra 'cluster' is not installed.", hint="pip install 'ert[cluster]'") from missing
    security = None
    if access.is_encrypted:
        security = distributed.Security(
            tls_ca_file=str(access.ca),
            tls_client_cert=str(access.certificate),
            tls_client_key=str(access.key),
            require_encryption=True,
        )
    try:
        client = distributed.Client(access.address, security=security, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise Unavailable(
            f"The cluster at {access.address} cannot be reached.",
            hint="Check address, certificates and that its scheduler runs.",
            detail=repr(error),
        ) from error
    try:
        workers = len(client.scheduler_info()["workers"])
        if workers == 0:
            raise Refused(f"The cluster at {access.address} has no workers.", hint="Start at least one.")
        yield client.get_executor(pure=False, retries=0), workers
    finally:
        client.close()
