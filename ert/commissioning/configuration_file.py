"""A machine's configuration as a TOML file, for people to write (docs/machines.md lists its keys)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import cattrs

from ert.domain.machine_configuration import MachineConfiguration
from ert.errors import InvalidBeamData, Refused

CONFIGURATION_NAME = "machine_configuration.toml"
FORMAT = 1


def read_configuration(path: Path) -> MachineConfiguration:
    """Read a configuration file, version 1; what it leaves out has its default.

    Raises
    ------
    InvalidBeamData
        If it cannot be read, is of another version, has an unknown key or a value that breaks a rule.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidBeamData(f"There is no file '{path}'.", hint="Choose a machine configuration file.") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise InvalidBeamData(f"'{path.name}' cannot be read ({exc}).", hint="Correct the file.") from exc
    found = tree.pop("format", None)
    if found != FORMAT:
        raise InvalidBeamData(
            f"'{path.name}': format is {found!r}, not {FORMAT}.", hint="Use a newer ERT or convert it."
        )
    return configuration_from(tree, where=path.name)


def configuration_from(tree: dict[str, Any], *, where: str) -> MachineConfiguration:
    """A configuration from plain values; raises `InvalidBeamData` as `read_configuration` does."""
    try:
        return _CONVERTER.structure(tree, MachineConfiguration)
    except Refused as exc:
        raise InvalidBeamData(f"'{where}': {exc.sentence}", hint=exc.hint) from exc
    except (cattrs.BaseValidationError, cattrs.ForbiddenExtraKeysError, TypeError, ValueError, KeyError) as exc:
        raise InvalidBeamData(
            f"'{where}': {_reason(exc)}", hint="Correct the file; docs/machines.md lists its keys."
        ) from exc


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing."
    return f"{str(error).split(' @ ')[0].rstrip('.')}."


def _number(value: Any, _kind: Any) -> float:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _exactly(wanted: type) -> Any:  # noqa: ANN401
    def structure(value: Any, kind: Any) -> Any:  # noqa: ANN401
        if type(value) is not wanted:
            raise TypeError(f"{value!r} is no {'text' if wanted is str else 'true or false'}")
        return value if kind is wanted else kind(value)  # a `StrEnum` comes here too, because it is a string

    return structure


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(bool, _exactly(bool))
    converter.register_structure_hook(str, _exactly(str))
    return converter


_CONVERTER = _make_converter()
