"""Column types that keep the same values, in the same order, in either database.

SQLite's integers have 64 bits whatever they are called, and its text is compared byte by byte; PostgreSQL is told so.
"""

from __future__ import annotations

import sqlalchemy as sa

NUMBER = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
