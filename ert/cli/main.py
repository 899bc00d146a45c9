"""The command ``ert``: verbs, exit codes, how failures are told.

Exit codes: 0 done, 1 the input was refused, 2 wrong usage, 3 an internal fault.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Annotated

import typer

from ert import logs
from ert.cli import (
    backup,
    beam_data,
    cache,
    check,
    commission,
    compare_machines,
    curve,
    dose,
    gui,
    history,
    keys,
    machines,
    mu,
    patients,
    recompute,
    records,
    release,
    restore,
    second_check,
    selftest,
    site,
    site_server,
    user,
)
from ert.cli.output import print_error, print_json, print_line
from ert.cli.wiring import Wiring
from ert.errors import Cancelled, ErtError

DONE, REFUSED, USAGE, FAULT = 0, 1, 2, 3
_INTERRUPTED = 130
_OUTPUT_LOST = {errno.ENOSPC, errno.EPIPE, errno.EDQUOT}


def build(wiring: Wiring | None) -> typer.Typer:
    """The command with all its verbs."""
    app = typer.Typer(
        name="ert",
        help="Electron radiotherapy treatment planning. Not a cleared medical device.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    app.command("dose")(dose.dose)
    app.command("beam-data")(beam_data.beam_data)
    app.command("commission")(commission.commission)
    app.command("compare-machines")(compare_machines.compare_machines)
    app.command("mu")(mu.mu)
    app.command("selftest")(selftest.selftest)
    gui.add(app, wiring)
    site_server.add(site.add(app, wiring), wiring)
    check.add(app, wiring)
    backup.add(app, wiring)
    restore.add(app, wiring)
    patients.add(app, wiring)
    curve.add(app, wiring)
    release.add(app, wiring)
    machines.add(app, wiring)
    cache.add(app, wiring)
    keys.add(app, wiring)
    records.add(app, wiring)
    history.add(app, wiring)
    second_check.add(app, wiring)
    recompute.add(app, wiring)
    user.add(app, wiring)
    return app


def _show_version(value: bool) -> None:
    if value:
        print_line(f"ert {metadata.version('ert')}")
        raise typer.Exit(DONE)


def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Electron radiotherapy treatment planning. Not a cleared medical device."""


def call(arguments: Sequence[str], wiring: Wiring | None = None) -> int:
    """Run one command line and return its exit code; never raises."""
    logs.start()
    wants_json = "--json" in arguments
    command = typer.main.get_command(build(wiring))

    def invoke() -> int:
        code = command.main(args=list(arguments), prog_name="ert", standalone_mode=False)
        return code if isinstance(code, int) else DONE

    try:
        return _guarded(invoke, wants_json=wants_json)
    finally:
        logs.stop()


def _guarded(invoke: Callable[[], int], *, wants_json: bool) -> int:
    """Turn every way to fail into a sentence and an exit code."""
    try:
        code = invoke()
        sys.stdout.flush()  # a full disk is told here, not by the interpreter at its end
        if code == _INTERRUPTED:
            raise KeyboardInterrupt  # noqa: TRY301 - typer turns Ctrl-C into this code
    except (KeyboardInterrupt, Cancelled, typer.Abort):
        print_error("ert: stopped on request; nothing was written.")
        code = REFUSED
    except typer.Exit as end:
        code = int(end.exit_code)
    except typer.TyperException as wrong:
        _show_usage(wrong)
        code = USAGE
    except OSError as error:
        if error.errno not in _OUTPUT_LOST:
            code = _tell_fault(error, wants_json=wants_json)
        else:
            print_error(f"ert: The output could not be written completely: {error.strerror}.")
            _give_up_output()
            code = REFUSED
    except ErtError as error:
        _tell_refusal(error, wants_json=wants_json)
        code = REFUSED
    except Exception as error:  # noqa: BLE001 - the outermost boundary: a fault gets a code, never a traceback
        code = _tell_fault(error, wants_json=wants_json)
    return code


def _give_up_output() -> None:
    """Have the interpreter not try once more at its end what could not be written."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell_refusal(error: ErtError, *, wants_json: bool) -> None:
    print_error(f"ert: {error}")
    if wants_json:
        print_json({"error": {"code": error.code, "sentence": error.sentence, "hint": error.hint}})


def _show_usage(wrong: typer.TyperException) -> None:
    show = getattr(wrong, "show", None)
    if show is None:
        print_error(f"ert: {wrong}")
    else:
        show(file=sys.stderr)


def _tell_fault(error: Exception, *, wants_json: bool) -> int:
    code = logs.record_fault(error)
    path = logs.log_folder() / "ert.log"
    print_error(
        f"ert: internal fault {code} ({type(error).__name__}). Nothing of the result may be used. "
        f"Please report it with the lines of this code in {path}; they hold no patient data."
    )
    if wants_json:
        print_json({"error": {"code": code, "sentence": "An internal fault.", "hint": f"See {path}."}})
    return FAULT


def run(wiring: Wiring | None = None) -> None:
    """Entry point: run the process's own command line and end the process."""
    sys.exit(call(sys.argv[1:], wiring))
