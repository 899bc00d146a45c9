"""A real PostgreSQL server for tests: Debian's binaries, a temporary folder, gone with the run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import attrs
import psycopg
from psycopg import sql

from ert.domain.database_server import ServerAddress, ServerLogin

HOST, ROLE, ROLE_PASSWORD, SUPERUSER_PASSWORD = "127.0.0.1", "ert", "Bq-9917-role", "Bq-9917-super"
_MANY = 60  # each takes 8 MB
# Waits for the test process to be gone, however it ended; then ends the server at once and removes its folder. It reads
# the server's pid itself: the server may have been started again.
_WATCH = """
while kill -0 "$1" 2>/dev/null; do sleep 1; done
if [ -f "$2/data/postmaster.pid" ]; then
    server=$(head -n 1 "$2/data/postmaster.pid")
    kill -QUIT "$server"
    while kill -0 "$server" 2>/dev/null; do sleep 1; done
fi
rm -rf "$2"
"""
_DEBIAN = Path("/usr/lib/postgresql")
# Nothing here outlives the run, so nothing is flushed; a clinical site refuses such a server.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "60"}


def binaries() -> Path | None:
    """The folder of the newest server programs on this computer, None if there are none."""
    found = [path.parent for path in _DEBIAN.glob("*/bin/initdb") if (path.parent / "pg_ctl").exists()]
    return max(found, key=lambda folder: int(folder.parent.name), default=None)


@attrs.define
class PostgresServer:
    """One running server.

    Attributes
    ----------
    folder : of its data, log and socket.
    port : on the loopback address.
    programs : folder of its binaries.
    watch : the process that ends the server when this one is killed.
    """

    folder: Path
    port: int
    programs: Path
    watch: subprocess.Popen[bytes]
    databases: int = 0
    open_databases: list[str] = attrs.Factory(list)

    @classmethod
    def start(cls, programs: Path, *, settings: dict[str, str] | None = None, access: str = "") -> PostgresServer:
        """Make a cluster and start it; `access` stands before the rules of who may connect how."""
        folder = Path(tempfile.mkdtemp(prefix="ert-pg-"))
        command = ["sh", "-c", _WATCH, "watch", str(os.getpid()), str(folder)]
        # A session of its own: what ends a whole group of processes must not end this one.
        nowhere = subprocess.DEVNULL
        watch = subprocess.Popen(command, start_new_session=True, stdin=nowhere, stdout=nowhere, stderr=nowhere)
        secret = folder / "password"
        secret.write_text(SUPERUSER_PASSWORD, encoding="utf-8")
        if os.geteuid() == 0:  # the server refuses to run as root
            for path in (folder, secret):
                shutil.chown(path, "postgres", "postgres")
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        server = cls(folder=folder, port=port, programs=programs, watch=watch)
        server._run("initdb", "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8",
                    "--locale=C.UTF-8", "--no-sync")  # fmt: skip
        if access:
            rules = folder / "data" / "pg_hba.conf"
            rules.write_text(access + rules.read_text(encoding="utf-8"), encoding="utf-8")
        server.begin(settings or {})
        server.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(ROLE), ROLE_PASSWORD))
        return server

    def begin(self, settings: dict[str, str] | None = None) -> None:
        """Start the server process."""
        options = {**_SETTINGS, "listen_addresses": HOST, "port": str(self.port), **(settings or {})}
        line = " ".join(f"-c {name}={value}" for name, value in options.items())
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", f"{line} -k {self.folder}", "start")

    def stop(self) -> None:
        """Stop it at once."""
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        """Stop it and remove its data."""
        self.watch.kill()
        self.watch.wait()
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def execute(self, statement: str | sql.Composed, *, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement as the superuser."""
        with self.connect(database) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else []

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection of the superuser, committing by itself."""
        return psycopg.connect(
            host=HOST, port=self.port, user="postgres", password=SUPERUSER_PASSWORD, dbname=database, autocommit=True
        )

    def new_database(self, *, template: str = "template0") -> ServerLogin:
        """A database of its own for one site."""
        self.databases += 1
        name = f"site{self.databases}"
        self.open_databases.append(name)
        self.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(ROLE), sql.Identifier(template)
            )
        )
        address = ServerAddress(host=HOST, port=self.port, database=name, role=ROLE)
        return ServerLogin(address=address, password=ROLE_PASSWORD)

    def keep(self) -> None:
        """Let `drop_databases` spare those there are."""
        self.open_databases.clear()

    def drop_databases(self) -> None:
        """Remove the databases made since if they are many; nothing may use them any more."""
        if len(self.open_databases) < _MANY:
            return
        for name in self.open_databases:
            self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self.open_databases.clear()

    def dump(self, database: str) -> bytes:
        """Everything of a database as the server's own tool writes it out."""
        environment = {**os.environ, "PGPASSWORD": SUPERUSER_PASSWORD}
        command = [str(self.programs / "pg_dump"), "-h", HOST, "-p", str(self.port), "-U", "postgres", database]
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        kept = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        log = self.folder / f"{program}.out"
        with log.open("wb") as out:  # a pipe would be held open by the server
            done = subprocess.run(command, stdout=out, stderr=out, cwd=self.folder, check=False, **kept)  # type: ignore[call-overload]
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {log.read_text(encoding='utf-8', errors='replace')}")
