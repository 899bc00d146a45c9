"""The triggers of the newest tables: what the database itself refuses to change, whoever asks."""

from __future__ import annotations

_LIBRARIES = ("ct_curve", "material", "machine_release", "check_tolerance")
_ONLY_ADDED = (
    "history", "plan_revision", "structure_set_revision", "machine", "file", "dose", "approval",
    *(f"{name}_revision" for name in _LIBRARIES),
)  # fmt: skip
"""Rows neither change (of files: but for their place and key) nor go."""
_NEVER_DELETED = (
    "patient", "image", "structure_set", "course", "plan", "user", "store_meta", "emergency_envelope",
    "identity_provider", "identity_link", "workstation", *_LIBRARIES,
)  # fmt: skip
TRIGGERS = frozenset(
    {f"{table}_no_update" for table in _ONLY_ADDED}
    | {f"{table}_no_delete" for table in (*_ONLY_ADDED, *_NEVER_DELETED)}
    | {"plan_approved_no_update", "plan_ended_no_update"}
)
"""Their names in either database."""
SERVER_TRIGGERS = TRIGGERS | {f"{table}_no_truncate" for table in (*_ONLY_ADDED, *_NEVER_DELETED)}
"""On a server, where a table could be emptied without deleting its rows."""
