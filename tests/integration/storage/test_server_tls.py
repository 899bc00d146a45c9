"""The way to another computer: encrypted, to a server that proves its name, or not at all; and one that crashes."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import tempfile
from pathlib import Path

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ert.errors import BadTag, StorageFailed
from tests.integration.storage import samples
from tests.integration.storage.postgres import PostgresServer, binaries

NAME = socket.gethostname()


def certificate(name: str, key, *, issuer: str, issuer_key, is_authority: bool = False) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def pem(made) -> str:
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def secured():
    """A server with a certificate for this computer's name, and its authority's certificate."""
    programs = binaries()
    if programs is None:
        pytest.skip("needs the server programs of PostgreSQL (Debian: postgresql)")
    try:
        is_here = socket.gethostbyname(NAME).startswith("127.") and NAME != "localhost"
    except OSError:
        is_here = False
    if not is_here:
        pytest.skip("needs a name of this computer that leads to its loopback address")
    folder = Path(tempfile.mkdtemp(prefix="ert-tls-"))
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = certificate("Clinic", authority_key, issuer="Clinic", issuer_key=authority_key, is_authority=True)
    (folder / "server.crt").write_text(pem(certificate(NAME, server_key, issuer="Clinic", issuer_key=authority_key)))
    (folder / "server.key").write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (folder / "server.key").chmod(0o600)
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres", "postgres")
    files = {"ssl_cert_file": str(folder / "server.crt"), "ssl_key_file": str(folder / "server.key")}
    listening = socket.gethostbyname(NAME)
    server = PostgresServer.start(
        programs, settings={"ssl": "on", "listen_addresses": f"127.0.0.1,{listening}", **files}
    )
    yield server, pem(authority)
    server.remove()
    shutil.rmtree(folder)


def by_name(server: PostgresServer, authority_pem: str = ""):
    login = server.new_database()
    return attrs.evolve(login, address=attrs.evolve(login.address, host=NAME), authority_pem=authority_pem)


def prepare(root, login):
    return samples.sites().prepare(root, site_name="C", admin_name="A", password=samples.PASSWORD, server=login)


def test_a_server_that_proves_its_name_is_used_and_its_certificates_travel_with_the_folder(secured, tmp_path):
    server, authority = secured
    pending = samples.sites().prepare(
        tmp_path / "site", site_name="C", admin_name=samples.LOGIN, password=samples.PASSWORD,
        server=by_name(server, authority),
    )  # fmt: skip
    pending.confirm(pending.recovery_code)
    site = samples.open_site(tmp_path / "site")
    with site.records.database.read() as connection:
        query = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert connection.exec_driver_sql(query).one() == (True, "TLSv1.3")
    samples.import_one(site)
    assert site.check() == ()
    site.close()
    (tmp_path / "site" / "keys" / "server-ca.pem").write_text(authority + "\n")
    with pytest.raises(BadTag, match="certificates"):
        samples.open_site(tmp_path / "site")


def test_a_server_that_proves_nothing_or_another_name_gets_no_password(secured, tmp_path):
    server, authority = secured
    with pytest.raises(StorageFailed, match="prove who it is"):
        prepare(tmp_path / "s", by_name(server))
    other_key = ec.generate_private_key(ec.SECP256R1())
    other = pem(certificate("Other", other_key, issuer="Other", issuer_key=other_key, is_authority=True))
    with pytest.raises(StorageFailed, match="prove who it is"):
        prepare(tmp_path / "s", by_name(server, other))
    wrong = by_name(server, authority)
    wrong = attrs.evolve(wrong, address=attrs.evolve(wrong.address, host=f"{NAME}.localdomain"))
    with pytest.raises(StorageFailed):
        prepare(tmp_path / "s", wrong)


def test_a_server_without_encryption_is_not_used_from_another_computer(secured, postgres, tmp_path):
    del secured  # its skips hold here, too
    with pytest.raises(StorageFailed, match="offers no encryption"):
        prepare(tmp_path / "s", by_name(postgres))


def test_what_was_acknowledged_is_there_after_the_server_was_killed(secured, tmp_path):
    server, _ = secured
    root = tmp_path / "site"
    pending = samples.sites().prepare(
        root, site_name="C", admin_name=samples.LOGIN, password=samples.PASSWORD, server=server.new_database()
    )
    pending.confirm(pending.recovery_code)
    site = samples.open_site(root)
    plan = samples.plan_of(samples.import_one(site))
    site.plans.save(plan, base_revision=0, doses=[samples.dose()])
    server.stop()
    with pytest.raises(StorageFailed):
        site.plans.save(samples.renamed(plan, "second"), base_revision=1)
    server.begin({"ssl": "off"})
    assert site.plans.load(plan.id).plan == plan  # the same session goes on
    assert site.plans.save(samples.renamed(plan, "third"), base_revision=1).revision == 2
    assert site.check() == ()
    site.close()
