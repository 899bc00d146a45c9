"""What SQL may still do once a connection is open (`sqlite3_set_authorizer`).

SQLCipher's ``cipher_*`` pragmas can change the format of a live database, ``ATTACH`` can copy it out in clear, and
``journal_mode`` or ``synchronous`` can undo the promises of a save. Pragmas are allowed by list; all others are denied.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlcipher3

Authorizer = Callable[[int, str | None, str | None, str | None, str | None], int]

_READABLE = frozenset(
    {
        "application_id", "busy_timeout", "cell_size_check", "cipher_integrity_check", "cipher_provider",
        "cipher_version", "compile_options", "database_list", "data_version", "foreign_key_check", "foreign_keys",
        "freelist_count", "integrity_check", "journal_mode", "mmap_size", "page_count", "page_size", "quick_check",
        "read_uncommitted", "recursive_triggers", "schema_version", "secure_delete", "synchronous", "table_list",
        "temp_store", "trusted_schema", "user_version",
    }
)  # fmt: skip
_WITH_ARGUMENT = frozenset(
    {
        "foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "integrity_check",
        "quick_check", "table_info", "table_list", "table_xinfo",
    }
)  # fmt: skip
_MIGRATION_SETTABLE = frozenset({"application_id", "user_version"})
_DENIED_FUNCTIONS = frozenset({"load_extension", "sqlcipher_export", "fts3_tokenizer", "readfile", "writefile", "edit"})
_ALWAYS_DENIED = frozenset({sqlcipher3.SQLITE_ATTACH, sqlcipher3.SQLITE_DETACH})
_SCHEMA_CHANGES = frozenset(
    {
        sqlcipher3.SQLITE_ALTER_TABLE, sqlcipher3.SQLITE_ANALYZE, sqlcipher3.SQLITE_CREATE_INDEX,
        sqlcipher3.SQLITE_CREATE_TABLE, sqlcipher3.SQLITE_CREATE_TRIGGER, sqlcipher3.SQLITE_CREATE_VIEW,
        sqlcipher3.SQLITE_CREATE_VTABLE, sqlcipher3.SQLITE_DROP_INDEX, sqlcipher3.SQLITE_DROP_TABLE,
        sqlcipher3.SQLITE_DROP_TRIGGER, sqlcipher3.SQLITE_DROP_VIEW, sqlcipher3.SQLITE_DROP_VTABLE,
        sqlcipher3.SQLITE_REINDEX,
    }
)  # fmt: skip


def make_authorizer(*, may_migrate: bool) -> Authorizer:
    """Return the callback for one connection; a migration may also change tables and the two version numbers."""

    def authorize(action: int, first: str | None, second: str | None, _database: str | None, _by: str | None) -> int:
        if action == sqlcipher3.SQLITE_PRAGMA:
            is_allowed = _is_pragma_allowed((first or "").lower(), second, may_migrate=may_migrate)
        elif action == sqlcipher3.SQLITE_FUNCTION:
            is_allowed = (second or "").lower() not in _DENIED_FUNCTIONS
        else:
            is_allowed = action not in _ALWAYS_DENIED and (may_migrate or action not in _SCHEMA_CHANGES)
        return int(sqlcipher3.SQLITE_OK if is_allowed else sqlcipher3.SQLITE_DENY)

    return authorize


def _is_pragma_allowed(name: str, argument: str | None, *, may_migrate: bool) -> bool:
    if argument is None:
        return name in _READABLE
    return name in _WITH_ARGUMENT or (may_migrate and name in _MIGRATION_SETTABLE)
