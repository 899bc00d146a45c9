"""A database server that keeps a site's rows in the place of the file in its folder."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote, urlsplit

from attrs import frozen

from ert.errors import InvalidSite

DEFAULT_PORT = 5432
_SCHEMES = ("postgresql", "postgres")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,62}")
_EXAMPLE = "Write it like postgresql://ert@db.clinic.example:5432/ert."


@frozen(kw_only=True)
class ServerAddress:
    """Which database on which server, and as whom.

    Attributes
    ----------
    host : name or address of the server.
    port : TCP port.
    database : name of the database.
    role : name of the database role (PostgreSQL's word for a user).
    """

    host: str
    port: int = DEFAULT_PORT
    database: str
    role: str

    @property
    def is_this_computer(self) -> bool:
        """Whether the way to the server leaves this computer; only then is it encrypted."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def text(self) -> str:
        """As it is typed and shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{self.role}@{host}:{self.port}/{self.database}"

    @property
    def words(self) -> str:
        """As it is told in a sentence."""
        return f"{self.host}:{self.port}, database {self.database}, role {self.role}"


@frozen(kw_only=True, repr=False)
class ServerLogin:
    """An address with what it takes to get in.

    Attributes
    ----------
    address : of the database.
    password : of the role.
    authority_pem : certificates (PEM) of the authority that vouches for the server; "" trusts the system's.
    """

    address: ServerAddress
    password: str
    authority_pem: str = ""


def parse_address(text: str) -> ServerAddress:
    """Return the address in ``postgresql://role@host[:port]/database``.

    Raises
    ------
    InvalidSite
        It is no such address, or holds a password or options, which do not belong there.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as exc:
        raise InvalidSite("The address of the database server cannot be read.", hint=_EXAMPLE) from exc
    if parts.password is not None:
        raise InvalidSite(
            "The address of the database server holds a password; command lines and their history are no place for it.",
            hint="Leave it out; it is asked for. If it was typed on a command line, give the role another one.",
        )
    if parts.scheme not in _SCHEMES or parts.query or parts.fragment:
        raise InvalidSite("This is no address of a PostgreSQL database.", hint=_EXAMPLE)
    role, database = unquote(parts.username or ""), unquote(parts.path.removeprefix("/"))
    for what, value in (("role", role), ("host", parts.hostname or ""), ("database", database)):
        pattern_fits = _NAME.fullmatch(value) is not None or (what == "host" and ":" in value)
        if not pattern_fits:
            raise InvalidSite(f"The address of the database server names no usable {what}.", hint=_EXAMPLE)
    return ServerAddress(
        host=parts.hostname or "", port=DEFAULT_PORT if port is None else port, database=database, role=role
    )
