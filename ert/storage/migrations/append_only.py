"""Triggers that keep what is append-only as it is, in the words of either database."""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op

_SERVER = "postgresql"


def forbid(table: str, verb: str) -> None:
    """Let no row of a table be changed so (``UPDATE``, ``DELETE``); what cannot be deleted cannot be emptied either."""
    name = f"{table}_no_{verb.lower()}"
    if not _is_server():
        op.execute(f'CREATE TRIGGER {name} BEFORE {verb} ON "{table}" BEGIN {_refusal(table)}; END')
        return
    _create_function(table)
    op.execute(f'CREATE TRIGGER {name} BEFORE {verb} ON "{table}" FOR EACH ROW EXECUTE FUNCTION {table}_refuse()')
    if verb == "DELETE":
        op.execute(f'CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON "{table}" EXECUTE FUNCTION {table}_refuse()')


def forbid_changing(table: str, columns: Sequence[str]) -> None:
    """Put a trigger that guards some columns in the place of the one that forbids every update."""
    name = f"{table}_no_update"
    if not _is_server():
        op.execute(f"DROP TRIGGER {name}")
        changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
        op.execute(
            f"CREATE TRIGGER {name} BEFORE UPDATE OF {', '.join(columns)} ON {table} "
            f"WHEN {changed} BEGIN {_refusal(table)}; END"
        )
        return
    op.execute(f'DROP TRIGGER {name} ON "{table}"')
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
    op.execute(
        f'CREATE TRIGGER {name} BEFORE UPDATE ON "{table}" FOR EACH ROW WHEN ({changed}) '
        f"EXECUTE FUNCTION {table}_refuse()"
    )


def forbid_updates_when(table: str, name: str, condition: str) -> None:
    """Let no update of a row happen while a condition on ``OLD`` and ``NEW`` holds, beside what is forbidden anyway."""
    if not _is_server():
        op.execute(f'CREATE TRIGGER {name} BEFORE UPDATE ON "{table}" WHEN {condition} BEGIN {_refusal(table)}; END')
        return
    _create_function(table)
    op.execute(
        f'CREATE TRIGGER {name} BEFORE UPDATE ON "{table}" FOR EACH ROW WHEN ({condition}) '
        f"EXECUTE FUNCTION {table}_refuse()"
    )


def _is_server() -> bool:
    return op.get_bind().dialect.name == _SERVER


def _refusal(table: str) -> str:
    return f"SELECT RAISE(ABORT, '{table} may not be changed so')"


def _create_function(table: str) -> None:
    op.execute(
        f"CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{table} may not be changed so' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
