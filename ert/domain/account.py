"""Accounts of a site: who may do what. Nothing is allowed that no line here allows."""

from __future__ import annotations

import enum
import unicodedata

from attrs import field, frozen

from ert.errors import InvalidSite

MAXIMUM_NAME_CHARACTERS = 64


class Level(enum.StrEnum):
    """What kind of work an account is for; each level may do what the ones before it may."""

    DEFAULT = "default"
    RESEARCH = "research"
    ELEVATED = "elevated"


class Feature(enum.StrEnum):
    """What an administrator gives to an account beside its level."""

    IM_DEVICE = "im_device"
    PLAN_APPROVAL = "plan_approval"
    FACILITY_CONFIGURATION = "facility_configuration"


class Right(enum.StrEnum):
    """What a service asks for before it does anything."""

    OWN_SESSION = "own_session"
    OWN_ACCOUNT = "own_account"
    VIEW = "view"
    PLAN = "plan"
    EXPORT = "export"
    CONFIGURE = "configure"
    RELEASE = "release"
    APPROVE = "approve"
    DESIGN_MODULATORS = "design_modulators"
    ADMINISTER = "administer"


LEVEL_NAMES = {Level.DEFAULT: "Default", Level.RESEARCH: "Research", Level.ELEVATED: "Elevated"}
FEATURE_NAMES = {
    Feature.IM_DEVICE: "IM Device",
    Feature.PLAN_APPROVAL: "Plan Approval",
    Feature.FACILITY_CONFIGURATION: "Facility Configuration",
}
_OF_EVERY_LEVEL = frozenset({Right.VIEW, Right.PLAN, Right.EXPORT})
_OF_LEVEL = {
    Level.DEFAULT: _OF_EVERY_LEVEL,
    Level.RESEARCH: _OF_EVERY_LEVEL,
    Level.ELEVATED: _OF_EVERY_LEVEL | {Right.RELEASE},
}
_OF_FEATURE = {
    Feature.IM_DEVICE: Right.DESIGN_MODULATORS,
    Feature.PLAN_APPROVAL: Right.APPROVE,
    Feature.FACILITY_CONFIGURATION: Right.CONFIGURE,
}
# Whoever cannot be asked for at the provider may have left yesterday: go on with the work, sign for nothing.
_OWN = frozenset({Right.OWN_SESSION, Right.OWN_ACCOUNT})
_UNVERIFIED = _OF_EVERY_LEVEL | _OWN
# Whoever holds the sheet may be anybody: treat by what was planned, change nothing (ADR 0038).
_EMERGENCY = frozenset({Right.VIEW, Right.EXPORT})
_SOURCES = {
    Right.OWN_ACCOUNT: "an account of one's own",
    Right.VIEW: "an account that is enabled",
    Right.PLAN: "an account of one's own that is enabled",
    Right.EXPORT: "an account that is enabled",
    Right.RELEASE: "the level Elevated",
    Right.CONFIGURE: "the feature Facility Configuration",
    Right.APPROVE: "the feature Plan Approval, on a level other than Research",
    Right.DESIGN_MODULATORS: "the feature IM Device",
    Right.ADMINISTER: "an administrator's account",
}


@frozen(kw_only=True)
class Grant:
    """What an administrator gives an account.

    Attributes
    ----------
    level : Level
    features : set of Feature
    is_administrator : whether it may add, change and disable accounts.
    """

    level: Level = Level.DEFAULT
    features: frozenset[Feature] = frozenset()
    is_administrator: bool = False

    @property
    def text(self) -> str:
        """For lists: level, then features by name."""
        names = [LEVEL_NAMES[self.level], *(FEATURE_NAMES[f] for f in Feature if f in self.features)]
        return ", ".join([*names, "administrator"] if self.is_administrator else names)


@frozen(kw_only=True)
class Account:
    """One person's account at a site.

    Attributes
    ----------
    id : random id; "" for nobody (a site opened with its recovery code).
    name : what is typed to sign in.
    grant : what it was given.
    is_disabled : whether an administrator closed it.
    must_change_password : whether its password is a one-time one; until it is changed nothing else is allowed.
    is_unverified : whether the provider it signed in through cannot be asked at the moment.
    is_emergency : whether the code of a sealed envelope opened the site; disabled once that is renewed or withdrawn.
    """

    id: str
    name: str
    grant: Grant = field(factory=Grant)
    is_disabled: bool = False
    must_change_password: bool = False
    is_unverified: bool = False
    is_emergency: bool = False

    @property
    def rights(self) -> frozenset[Right]:
        """What it may do now."""
        if not self.id:
            return frozenset()
        if self.is_emergency:
            return frozenset({Right.OWN_SESSION}) | (frozenset() if self.is_disabled else _EMERGENCY)
        if self.is_disabled or self.must_change_password:
            return _OWN
        given = _OWN | _OF_LEVEL[self.grant.level] | {_OF_FEATURE[f] for f in self.grant.features}
        if self.grant.level is Level.RESEARCH:
            given -= {Right.APPROVE}
        given = given | {Right.ADMINISTER} if self.grant.is_administrator else given
        return given & _UNVERIFIED if self.is_unverified else given


NOBODY = Account(id="", name="", is_disabled=True)
FIRST_GRANT = Grant(level=Level.ELEVATED, features=frozenset(Feature), is_administrator=True)


@frozen(kw_only=True)
class PasswordHolders:
    """Whom a password opens a site for.

    Attributes
    ----------
    user_ids : of the users whose key slot is there.
    unreadable : names of the files in the folder of key slots that cannot be read; whose they are, nobody can tell.
    """

    user_ids: frozenset[str] = frozenset()
    unreadable: tuple[str, ...] = ()


def source_of(right: Right) -> str:
    """What gives a right, in words; "" for the one that comes with signing in."""
    return _SOURCES.get(right, "")


def checked_name(text: str) -> str:
    """Return a user name as it is kept; raises `InvalidSite` if it is empty, too long or not printable."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name:
        raise InvalidSite("A user needs a name.", hint="Enter one.")
    if len(name) > MAXIMUM_NAME_CHARACTERS or not name.isprintable():
        raise InvalidSite(
            f"A user's name has at most {MAXIMUM_NAME_CHARACTERS} printable characters.", hint="Choose another name."
        )
    return name
