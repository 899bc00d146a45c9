"""Tables (SQLAlchemy Core): the same definition for an embedded SQLCipher file and for a server.

Every record has a random id, a revision and a row code. Personal data stands in encrypted cells (``*_ct``) only; what
is indexed in clear is random ids, revisions, digests and times. Arrays and anything above 64 KiB live in encrypted
files.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, MetaData, Table, UniqueConstraint

from ert.storage.column_types import NUMBER, TEXT
from ert.storage.fields import ROW_CODE_COLUMN

APPLICATION_ID = 0x45525431
SCHEMA_VERSION = 13
MIGRATION_HEAD = "0013"
MIGRATION_TABLE = "migration"
MAXIMUM_CELL_BYTES = 64 * 1024

metadata = MetaData()


def _record(name: str, *columns: Column[int] | Column[str] | Column[bytes] | UniqueConstraint | Index) -> Table:
    return Table(
        name,
        metadata,
        Column("uuid", TEXT, primary_key=True),
        Column("rev", NUMBER, nullable=False),
        *columns,
        Column("created_utc", TEXT, nullable=False),
        Column("updated_utc", TEXT, nullable=False),
        Column(ROW_CODE_COLUMN, LargeBinary, nullable=False),
    )


def _reference(name: str, target: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, TEXT, ForeignKey(f"{target}.uuid"), nullable=nullable, index=True)


def _cell(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


store_meta = Table(
    "store_meta",
    metadata,
    Column("one", NUMBER, primary_key=True),
    Column("store_id", TEXT, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("format", NUMBER, nullable=False),
    Column("epoch", NUMBER, nullable=False),
    Column("name_ct", LargeBinary, nullable=False),
    Column("head_seq", NUMBER, nullable=False),
    Column("head_h", LargeBinary, nullable=False),
    Column("fencing_token", NUMBER, nullable=False),
    Column(ROW_CODE_COLUMN, LargeBinary, nullable=False),
)

user = _record(
    "user", Column("login_bi", LargeBinary, nullable=False, unique=True), _cell("login_ct"), _cell("document_ct")
)

# One row: the provider whose sign-ins the site accepts.
identity_provider = _record("identity_provider", _cell("document_ct"))

# Which person at the provider is which user; a link that was taken away has an index no person has.
identity_link = _record(
    "identity_link",
    Column("user", TEXT, ForeignKey("user.uuid"), nullable=False, unique=True),
    Column("subject_bi", LargeBinary, nullable=False, unique=True),
    _cell("document_ct"),
)

# Workstations whose key store opens the site; the row's id is that of its slot file.
workstation = _record("workstation", Column("state", TEXT, nullable=False), _cell("document_ct"))

# The sealed envelope for emergencies, and those before it; the row's id is that of its slot file.
emergency_envelope = _record("emergency_envelope", Column("state", TEXT, nullable=False), _cell("document_ct"))

patient = _record(
    "patient",
    Column("mrn_bi", LargeBinary, nullable=False, unique=True),
    _cell("document_ct"),
    _reference("merged_into", "patient", nullable=True),
)

image = _record(
    "image",
    _reference("patient", "patient"),
    Column("series_bi", LargeBinary, nullable=False, index=True),
    Column("digest", TEXT, nullable=False),
    _cell("document_ct"),
)

structure_set = _record(
    "structure_set",
    _reference("image", "image"),
    Column("sop_bi", LargeBinary, nullable=False, index=True),
)

structure_set_revision = _record(
    "structure_set_revision",
    _reference("structure_set", "structure_set"),
    Column("saved_by", TEXT, nullable=False),
    Column("document_ct", LargeBinary, nullable=True),
    UniqueConstraint("structure_set", "rev"),
)

course = _record(
    "course",
    _reference("patient", "patient"),
    _reference("image", "image"),
    _reference("structure_set", "structure_set"),
    _cell("document_ct"),
)

plan = _record(
    "plan",
    _reference("course", "course"),
    Column("state", TEXT, nullable=False),
    Column("saved_by", TEXT, nullable=False),
    Column("digest", TEXT, nullable=False),
    _cell("name_ct"),
)

plan_revision = _record(
    "plan_revision",
    _reference("plan", "plan"),
    Column("state", TEXT, nullable=False),
    Column("saved_by", TEXT, nullable=False),
    Column("digest", TEXT, nullable=False),
    Column("document_ct", LargeBinary, nullable=True),
    UniqueConstraint("plan", "rev"),
)

machine = _record("machine", Column("digest", TEXT, nullable=False, unique=True), _cell("document_ct"))

dose = _record(
    "dose",
    _reference("plan", "plan"),
    Column("request_digest", TEXT, nullable=False),
    Column("content_digest", TEXT, nullable=False),
    _cell("document_ct"),
    UniqueConstraint("plan", "request_digest"),
)

# What was signed of a plan: its approval, and the end of it. Rows are only ever added.
approval = _record(
    "approval",
    _reference("plan", "plan"),
    Column("plan_rev", NUMBER, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("saved_by", TEXT, nullable=False),
    Column("document_ct", LargeBinary, nullable=True),
    UniqueConstraint("plan", "plan_rev"),
    UniqueConstraint("plan", "state"),
)


def _library(name: str) -> tuple[Table, Table]:
    """Head and revisions of what a site keeps of its own; a head's name is unique by its blind index."""
    head = _record(
        name,
        Column("name_bi", LargeBinary, nullable=False, unique=True),
        Column("state", TEXT, nullable=False),
        Column("saved_by", TEXT, nullable=False),
        Column("digest", TEXT, nullable=False),
    )
    revisions = _record(
        f"{name}_revision",
        _reference(name, name),
        Column("state", TEXT, nullable=False),
        Column("saved_by", TEXT, nullable=False),
        Column("digest", TEXT, nullable=False),
        _cell("document_ct"),
        UniqueConstraint(name, "rev"),
    )
    return head, revisions


ct_curve, ct_curve_revision = _library("ct_curve")
material, material_revision = _library("material")
machine_release, machine_release_revision = _library("machine_release")
check_tolerance, check_tolerance_revision = _library("check_tolerance")

exclusive_lock = _record(
    "exclusive_lock",
    Column("scope", TEXT, nullable=False, unique=True),
    Column("token", NUMBER, nullable=False),
    Column("is_held", NUMBER, nullable=False),
    _cell("document_ct"),
)

site_setting = _record("site_setting", Column("name", TEXT, nullable=False, unique=True), _cell("document_ct"))

file = _record(
    "file",
    Column("owner_table", TEXT, nullable=False),
    Column("owner", TEXT, nullable=False),
    Column("owner_rev", NUMBER, nullable=False),
    Column("ordinal", NUMBER, nullable=False),
    Column("kind", NUMBER, nullable=False),
    Column("path", TEXT, nullable=False, unique=True),
    Column("size", NUMBER, nullable=False),
    Column("length", NUMBER, nullable=False),
    Column("crc32_plain", NUMBER, nullable=False),
    Column("sha256_cipher", LargeBinary, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("key_gen", NUMBER, nullable=False),
    UniqueConstraint("owner_table", "owner", "owner_rev", "kind", "ordinal"),
)

history = Table(
    "history",
    metadata,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),
    Column("utc", TEXT, nullable=False),
    Column("monotonic_ns", NUMBER, nullable=False),
    Column("epoch", NUMBER, nullable=False),
    Column("actor", TEXT, nullable=False),
    Column("host_ct", LargeBinary, nullable=False),
    Column("app_version", TEXT, nullable=False),
    Column("record_table", TEXT, nullable=False),
    Column("record", TEXT, nullable=False),
    Column("record_rev", NUMBER, nullable=True),
    Column("event", TEXT, nullable=False),
    Column("change_ct", LargeBinary, nullable=False),
    Column("prev", LargeBinary, nullable=False),
    Column("h", LargeBinary, nullable=False, unique=True),
    UniqueConstraint("record", "record_rev"),
)

RECORD_TABLES = (
    user,
    identity_provider,
    identity_link,
    workstation,
    emergency_envelope,
    patient,
    image,
    structure_set,
    structure_set_revision,
    course,
    plan,
    plan_revision,
    machine,
    dose,
    approval,
    ct_curve,
    ct_curve_revision,
    material,
    material_revision,
    machine_release,
    machine_release_revision,
    exclusive_lock,
    site_setting,
    check_tolerance,
    check_tolerance_revision,
    file,
)
