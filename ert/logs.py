"""Log files: JSON lines that cannot hold patient data, rotated.

What reaches a file is decided by type, not by care: the constant message template, numbers, booleans, and text marked
`Public`. Any other argument is written as its type and length. Exceptions are written as their class, code and the
place in the source; the text of an exception is never written, because it may quote a name or a path.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import logging.handlers
import os
import secrets
import traceback
from pathlib import Path
from typing import Any

import platformdirs

from ert.errors import ErtError

MAX_BYTES = 2_000_000
KEPT_FILES = 5
_FILE_NAME = "ert.log"
_MODE_OWNER_ONLY = 0o600


class Public(str):
    """Text that is known to hold no patient data: machine names, versions, digests, engine names."""

    __slots__ = ()


def log_folder() -> Path:
    """Where log files are kept: ``$ERT_LOG_DIR``, else the user's log folder of this system."""
    return Path(os.environ.get("ERT_LOG_DIR") or platformdirs.user_log_dir("ert", appauthor=False))


def _safe(value: object) -> object:
    """The value if it may be written, else what kind of thing it was."""
    if value is None or isinstance(value, bool | int | float | Public):
        return value
    if isinstance(value, str | bytes):
        return f"<{type(value).__name__} of {len(value)}>"
    if isinstance(value, BaseException):
        return describe_exception(value)
    return f"<{type(value).__name__}>"


def describe_exception(error: BaseException) -> dict[str, object]:
    """Class, code and source places of an exception and its causes; never its text.

    ``detail`` of an `ErtError` is written: it is made for the log and must not hold patient data.
    """
    described: dict[str, object] = {"class": type(error).__name__}
    if isinstance(error, ErtError):
        described["code"] = error.code
        described["detail"] = error.detail
    frames = traceback.extract_tb(error.__traceback__)
    described["at"] = [f"{_module(f.filename)}:{f.lineno} {f.name}" for f in frames]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["from"] = describe_exception(cause)
    return described


def _module(filename: str) -> str:
    """The last two parts of a source path: enough to find it, without the user's folders."""
    return "/".join(Path(filename).parts[-2:])


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, template, safe arguments, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for a record."""
        line: dict[str, Any] = {
            "time": dt.datetime.fromtimestamp(record.created, tz=dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.msg if isinstance(record.msg, str) else _safe(record.msg),
        }
        if isinstance(record.args, tuple) and record.args:
            line["args"] = [_safe(value) for value in record.args]
        elif isinstance(record.args, dict):
            line["args"] = {str(key): _safe(value) for key, value in record.args.items()}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = describe_exception(record.exc_info[1])
        return json.dumps(line, ensure_ascii=True)


def _open_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, _MODE_OWNER_ONLY)


class _OwnerOnlyFile(logging.handlers.RotatingFileHandler):
    """A rotating file that only its owner can read."""

    def _open(self) -> Any:  # noqa: ANN401 - the base class says so
        return open(self.baseFilename, self.mode, encoding="utf-8", opener=_open_owner_only)  # noqa: PTH123 - opener


def start(folder: Path | None = None) -> Path | None:
    """Send the records of ``ert.*`` from INFO up to the log file; returns its path.

    Returns None, and logs nowhere, if the folder cannot be written: a log must not stop the work.
    """
    logger = logging.getLogger("ert")
    stop()
    logger.propagate = False
    logger.setLevel(logging.INFO)
    path = (folder or log_folder()) / _FILE_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = _OwnerOnlyFile(path, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8")
    except OSError:
        logger.addHandler(logging.NullHandler())
        return None
    handler.setFormatter(JsonFormatter())
    logger.addHandler(handler)
    return path


def stop() -> None:
    """Close the log file."""
    logger = logging.getLogger("ert")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


def record_fault(error: BaseException) -> str:
    """Write an internal fault to the log; returns the code under which it is found there."""
    code = f"F{dt.datetime.now(tz=dt.UTC):%y%m%d}-{secrets.token_hex(3)}"
    logging.getLogger("ert.fault").error("internal fault %s", Public(code), exc_info=error)
    return code
