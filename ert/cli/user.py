"""``ert user add|list|level|disable|enable|reset|password|rule|link``: who may sign in, and what they may do there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ert.app.account_service import AccountService, one_time_password
from ert.app.tissue_library import directly
from ert.cli import credentials
from ert.cli.output import print_error, print_json, print_line, print_table
from ert.cli.site import JsonOption, PasswordOption, SiteOption, UserOption, opened
from ert.cli.wiring import Wiring
from ert.domain.account import FEATURE_NAMES, LEVEL_NAMES, Account, Feature, Grant, Level, Right
from ert.domain.password import PasswordPolicy, PasswordRule
from ert.errors import NotFound, Refused

NameArgument = Annotated[str, typer.Argument(help="Name of the user.")]
NewPasswordOption = Annotated[
    int | None,
    typer.Option("--new-password-fd", min=0, help="File descriptor whose first line is the new password."),
]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        "--new-password-file",
        help="Write a made-up one-time password to this new file (readable by its owner only) instead of showing it.",
    ),
]


def add(app: typer.Typer, wiring: Wiring | None) -> None:
    """Add the verbs to the command."""
    group = typer.Typer(help="Users of a site: add, change, disable, reset.", no_args_is_help=True)
    _add_list(group, wiring)
    _add_add(group, wiring)
    _add_level(group, wiring)
    _add_reset(group, wiring)
    _add_switch(group, wiring, "disable", "Close an account: its password opens nothing any more.", "disabled")
    _add_switch(group, wiring, "enable", "Open a disabled account again, with the password it had.", "enabled")
    _add_rule(group, wiring)
    _add_password(group, wiring)
    _add_link(group, wiring)
    app.add_typer(group, name="user")


@contextmanager
def _service(
    wiring: Wiring | None, site: Path, user: str | None, descriptor: int | None, right: Right = Right.ADMINISTER
) -> Iterator[AccountService]:
    with opened(wiring, site, user, descriptor, right=right, doing="administer users") as store:
        yield AccountService(store, directly)


def _named(service: AccountService, name: str) -> Account:
    wanted = name.strip().casefold()
    for account in service.accounts():
        if account.name.casefold() == wanted:
            return account
    raise NotFound(f"This site has no user named '{name}'.", hint="'ert user list' names them.")


def _described(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "level": account.grant.level.value,
        "features": sorted(f.value for f in account.grant.features),
        "is_administrator": account.grant.is_administrator,
        "is_disabled": account.is_disabled,
        "must_change_password": account.must_change_password,
    }


def _tell(account: Account, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_described(account))
    else:
        print_line(sentence)


@contextmanager
def _new_password(descriptor: int | None, path: Path | None) -> Iterator[tuple[str, bool]]:
    """The one-time password, and whether it is to be shown; a file made for it goes again if it came to nothing."""
    if descriptor is not None and path is not None:
        raise Refused("Give --new-password-fd or --new-password-file, not both.")
    if descriptor is not None:
        yield credentials.read_first_line(descriptor), False
        return
    password = one_time_password()
    if path is None:
        if not sys.stderr.isatty():
            raise Refused(
                "There is no terminal to show the one-time password on.",
                hint="Give --new-password-file FILE, or a password with --new-password-fd N.",
            )
        yield password, True
        return
    credentials.write_secret_file(path, password, what="password file")
    try:
        yield password, False
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _show(name: str, password: str) -> None:
    print_error(f"\nOne-time password of '{name}', to be told to nobody else and changed at the first sign-in:\n")
    print_error(f"    {password}\n")


def _add_list(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("list")
    def list_users(
        site: SiteOption, user: UserOption = None, password_fd: PasswordOption = None, as_json: JsonOption = False
    ) -> None:
        """List the users of a site and what they may do."""
        with _service(wiring, site, user, password_fd) as service:
            accounts = service.accounts()
        if as_json:
            print_json({"users": [_described(account) for account in accounts]})
            return
        rows = [
            (
                account.name,
                LEVEL_NAMES[account.grant.level],
                ", ".join(FEATURE_NAMES[f] for f in Feature if f in account.grant.features),
                "yes" if account.grant.is_administrator else "",
                state_text(account),
            )
            for account in accounts
        ]
        print_table(f"{len(rows)} users", ("User", "Level", "Features", "Administrator", "State"), rows)


def state_text(account: Account) -> str:
    """How an account stands, for lists."""
    if account.is_disabled:
        return "disabled"
    return "one-time password" if account.must_change_password else "enabled"


def _add_add(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("add")
    def add_user(
        name: NameArgument,
        *,
        site: SiteOption,
        level: Annotated[Level, typer.Option("--level", help="What kind of work it is for.")] = Level.DEFAULT,
        feature: Annotated[list[Feature] | None, typer.Option("--feature", help="May be given several times.")] = None,
        administrator: Annotated[bool, typer.Option("--administrator", help="May add and change users.")] = False,
        new_password_fd: NewPasswordOption = None,
        new_password_file: PasswordFileOption = None,
        subject: Annotated[
            str | None, typer.Option("--subject", help="Mark at the sign-in provider: no password is made then.")
        ] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Add a user with a one-time password, or one who signs in through the provider."""
        grant = Grant(level=level, features=frozenset(feature or ()), is_administrator=administrator)
        if subject is not None:
            with _service(wiring, site, user, password_fd) as service:
                account = service.identity.add_account(name, grant=grant, subject=subject)
            _tell(account, f"'{account.name}' was added: {account.grant.text}, without a password.", as_json=as_json)
            return
        with (
            _service(wiring, site, user, password_fd) as service,
            _new_password(new_password_fd, new_password_file) as (password, is_shown),
        ):
            account = service.add(name, password=password, grant=grant)
        _tell(account, f"'{account.name}' was added: {account.grant.text}.", as_json=as_json)
        if is_shown:
            _show(account.name, password)


def _add_level(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("level")
    def level_of_user(
        name: NameArgument,
        level: Annotated[Level | None, typer.Argument(help="The new level; left as it is if not given.")] = None,
        *,
        site: SiteOption,
        give: Annotated[list[Feature] | None, typer.Option("--give", help="Feature to give.")] = None,
        take: Annotated[list[Feature] | None, typer.Option("--take", help="Feature to take away.")] = None,
        administrator: Annotated[
            bool | None, typer.Option("--administrator/--no-administrator", help="May add and change users.")
        ] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Change the level and the features of a user."""
        with _service(wiring, site, user, password_fd) as service:
            account = _named(service, name)
            grant = account.grant
            changed = Grant(
                level=grant.level if level is None else level,
                features=(grant.features | frozenset(give or ())) - frozenset(take or ()),
                is_administrator=grant.is_administrator if administrator is None else administrator,
            )
            if changed == grant:
                raise Refused(f"'{account.name}' has exactly this: {grant.text}.", hint="Nothing was changed.")
            account = service.set_grant(account.id, changed)
        _tell(account, f"'{account.name}': {account.grant.text}.", as_json=as_json)


def _add_reset(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("reset")
    def reset(
        name: NameArgument,
        *,
        site: SiteOption,
        new_password_fd: NewPasswordOption = None,
        new_password_file: PasswordFileOption = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Give a user a one-time password; also ends a lock after failed attempts."""
        with (
            _service(wiring, site, user, password_fd) as service,
            _new_password(new_password_fd, new_password_file) as (password, is_shown),
        ):
            account = service.reset_password(_named(service, name).id, password)
        _tell(account, f"'{account.name}' has a one-time password.", as_json=as_json)
        if is_shown:
            _show(account.name, password)


def _add_switch(group: typer.Typer, wiring: Wiring | None, verb: str, text: str, done: str) -> None:
    @group.command(verb, help=text)
    def switch(
        name: NameArgument,
        *,
        site: SiteOption,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        with _service(wiring, site, user, password_fd) as service:
            change: Callable[[str], Account] = service.disable if verb == "disable" else service.enable
            account = change(_named(service, name).id)
        _tell(account, f"'{account.name}' is {done}.", as_json=as_json)


def _add_rule(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("rule")
    def rule(
        *,
        site: SiteOption,
        policy: Annotated[
            PasswordPolicy | None,
            typer.Option(
                "--policy",
                help="composition: 10 characters, both cases, a digit, a special character. nist: 15 characters of any "
                "kind. Left as it is if not given.",
            ),
        ] = None,
        one_time_hours: Annotated[
            int | None, typer.Option("--one-time-hours", help="How long a one-time password is good for.")
        ] = None,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Show what the site asks of passwords, or change it for every password set from now on."""
        with _service(wiring, site, user, password_fd) as service:
            kept = service.password_rule()
            changed = PasswordRule(
                policy=policy or kept.policy,
                one_time_hours=kept.one_time_hours if one_time_hours is None else one_time_hours,
            )
            if changed != kept:
                service.set_password_rule(changed)
        if as_json:
            print_json({"policy": changed.policy.value, "one_time_hours": changed.one_time_hours})
        else:
            print_line(f"A password needs {changed.text}.")


def _add_password(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("password")
    def password(
        *,
        site: SiteOption,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        new_password_fd: NewPasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Change your own password."""
        current = credentials.ask_user(user), credentials.ask_password("Password", descriptor=password_fd)
        with opened(wiring, site, current[0], None, right=Right.OWN_SESSION, password=current[1]) as store:
            new = credentials.ask_new_password(descriptor=new_password_fd)
            account = AccountService(store, directly).change_own_password(current[1], new)
        _tell(account, f"The password of '{account.name}' was changed.", as_json=as_json)


def _add_link(group: typer.Typer, wiring: Wiring | None) -> None:
    @group.command("link")
    def link(
        name: NameArgument,
        *,
        site: SiteOption,
        subject: Annotated[str | None, typer.Option("--subject", help="Mark at the sign-in provider.")] = None,
        nobody: Annotated[bool, typer.Option("--nobody", help="Take the link away.")] = False,
        user: UserOption = None,
        password_fd: PasswordOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Say who a user is at the sign-in provider."""
        if (subject is None) is not nobody:
            raise typer.BadParameter("Give --subject SUBJECT, or --nobody.")
        with _service(wiring, site, user, password_fd) as service:
            account = _named(service, name)
            made = service.identity.link(account.id, subject or "")
        told = f"is '{made.subject}' at {made.issuer}" if made.subject else "signs in through no provider any more"
        if as_json:
            print_json({"name": account.name, "issuer": made.issuer, "subject": made.subject})
        else:
            print_line(f"'{account.name}' {told}.")
