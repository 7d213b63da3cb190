"""What do callers send, and what do they get? The shapes the OpenAPI document is made of."""

from __future__ import annotations

from typing import Any, get_args

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers as s

from coordination.bundle.overrides import KINDS, MAX_FACTOR
from coordination.program.records import LimitOf, LimitPer
from delivery.models import Override, Release
from delivery.overrides.standing import STATES, now_us, state_of
from delivery.selectors import Seen
from fleet.models import EnrolmentToken
from fleet.services import TOKEN_LIFE
from tenancy.credentials import LONGEST_OVERLAP
from tenancy.models import ApiKey, LimitCredit, TeamShare

MOST_GATEWAYS = 10_000
LARGEST_WEIGHT = 2**53 - 1
DIGEST = r"^sha256:[0-9a-f]{64}\Z"
NAME = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\Z"


# -- releases -------------------------------------------------------------------------------------


class ReleaseRow(s.ModelSerializer[Release]):
    environment = s.CharField(source="environment_id")

    class Meta:
        model = Release
        fields = (
            "environment",
            "version",
            "bundle",
            "rollback_of",
            "revision",
            "reason",
            "actor_name",
            "state",
            "created_at",
            "ended_at",
        )


class GatewayError(s.Serializer[Any]):
    """Why a gateway does not run what it was told to."""

    code = s.CharField()
    message = s.CharField()
    json_pointer = s.CharField(allow_blank=True)


class GatewayRow(s.Serializer[Any]):
    """A gateway: what its ring should run, what it tried, what it enforces, and how long ago it said so."""

    id = s.CharField(source="gateway.id")
    name = s.CharField(source="gateway.name")
    ring = s.CharField(source="gateway.ring.name")
    enrolled_at = s.DateTimeField(source="gateway.enrolled_at")
    retired_at = s.DateTimeField(source="gateway.retired_at", allow_null=True)
    state = s.SerializerMethodField()
    serial = s.SerializerMethodField()
    version = s.SerializerMethodField()
    desired = s.SerializerMethodField()
    attempted = s.SerializerMethodField()
    applied = s.SerializerMethodField()
    applied_directory = s.SerializerMethodField()
    error = s.SerializerMethodField()
    in_step = s.BooleanField(help_text="It enforces the bundle and directory of its ring's pointer.")
    silent = s.BooleanField(source="is_silent", help_text="It has not reported when it should have.")
    reported_at = s.SerializerMethodField()
    age_seconds = s.SerializerMethodField()
    clock_skew_us = s.SerializerMethodField()

    def get_state(self, seen: Seen) -> str:
        return seen.state.state if seen.state else "unknown"

    def get_serial(self, seen: Seen) -> int | None:
        return seen.state.serial if seen.state else None

    def get_version(self, seen: Seen) -> int | None:
        return seen.state.version if seen.state else None

    def get_desired(self, seen: Seen) -> str | None:
        return (seen.state.desired or None) if seen.state else None

    def get_attempted(self, seen: Seen) -> str | None:
        return (seen.state.attempted or None) if seen.state else None

    def get_applied(self, seen: Seen) -> str | None:
        return (seen.state.applied or None) if seen.state else None

    def get_applied_directory(self, seen: Seen) -> str | None:
        return (seen.state.applied_directory or None) if seen.state else None

    @extend_schema_field(GatewayError(allow_null=True))
    def get_error(self, seen: Seen) -> dict[str, Any] | None:
        return seen.state.error if seen.state and seen.state.error_code else None

    def get_reported_at(self, seen: Seen) -> str | None:
        return seen.state.reported_at.isoformat() if seen.state else None

    def get_age_seconds(self, seen: Seen) -> float | None:
        return None if seen.age is None else round(seen.age.total_seconds(), 3)

    def get_clock_skew_us(self, seen: Seen) -> int | None:
        return seen.state.clock_skew if seen.state else None


class Progress(s.Serializer[Any]):
    """One gateway's part in one release."""

    id = s.CharField()
    name = s.CharField()
    state = s.CharField()
    applied = s.BooleanField(help_text="It enforces this release's bundle.")
    attempted = s.BooleanField(help_text="It has tried this release's bundle.")
    error = GatewayError(allow_null=True)


class StageRow(s.Serializer[Any]):
    position = s.IntegerField()
    ring = s.CharField()
    state = s.CharField()
    note = s.CharField(allow_blank=True)
    ended_at = s.DateTimeField(allow_null=True)
    gateways = Progress(many=True)


class ReleaseDetail(ReleaseRow):
    stages = StageRow(many=True)

    class Meta(ReleaseRow.Meta):
        fields = (*ReleaseRow.Meta.fields, "stages")  # type: ignore[assignment]


class NewRelease(s.Serializer[Any]):
    """``after``: release only while that is still the newest version (0: none yet)."""

    bundle = s.RegexField(DIGEST)
    reason = s.CharField(max_length=300, required=False, allow_blank=True, default="")
    after = s.IntegerField(min_value=0, required=False, allow_null=True, default=None)


class NewRollback(s.Serializer[Any]):
    """Without ``to_version``: to the last release that ran another bundle."""

    to_version = s.IntegerField(min_value=1, required=False, allow_null=True, default=None)
    reason = s.CharField(max_length=300, required=False, allow_blank=True, default="")
    after = s.IntegerField(min_value=0, required=False, allow_null=True, default=None)


# -- status ---------------------------------------------------------------------------------------


class PointerRow(s.Serializer[Any]):
    """What a ring should run now."""

    serial = s.IntegerField()
    version = s.IntegerField()
    bundle = s.CharField()
    directory = s.CharField(source="directory_id")
    directory_serial = s.IntegerField(source="directory.serial")
    rollback_of = s.IntegerField(allow_null=True)
    issued_at = s.IntegerField(help_text="Microseconds since 1970.")
    expires_at = s.IntegerField(help_text="Microseconds since 1970.")


class RingRow(s.Serializer[Any]):
    ring = s.CharField()
    pointer = PointerRow(allow_null=True)
    gateways = GatewayRow(many=True)


class Status(s.Serializer[Any]):
    """What an environment should run, and what its gateways do run."""

    environment = s.CharField()
    revision = s.CharField(allow_null=True, help_text="What the policy is at; its build is released next.")
    bundle = s.CharField(allow_null=True, help_text="What that revision was built as; null until it is.")
    release = ReleaseRow(allow_null=True)
    in_step = s.BooleanField(help_text="Every gateway enforces what its ring is pointed at, and reports.")
    timeline_ends = s.DateTimeField(
        allow_null=True,
        help_text="From then on nothing recurs under what is released. A build a day moves it on.",
    )
    timeline_alarm = s.BooleanField(help_text="No build has moved it on for a week.")
    rings = RingRow(many=True)


# -- enrolment ------------------------------------------------------------------------------------


class TokenRow(s.ModelSerializer[EnrolmentToken]):
    ring = s.CharField(source="ring.name")

    class Meta:
        model = EnrolmentToken
        fields = ("ring", "max_uses", "uses", "expires_at", "created_by_name", "created_at")


class NewToken(s.Serializer[Any]):
    ring = s.RegexField(NAME, required=False, default="0")
    max_uses = s.IntegerField(min_value=1, max_value=MOST_GATEWAYS, required=False, default=1)
    seconds = s.IntegerField(
        min_value=1,
        max_value=int(TOKEN_LIFE.total_seconds()),
        required=False,
        default=int(TOKEN_LIFE.total_seconds()),
    )


class IssuedToken(s.Serializer[Any]):
    """``token`` is shown this once; ``root`` is what ``headway gateway enroll --root`` takes."""

    token = s.CharField(allow_null=True)
    root = s.CharField()  # type: ignore[assignment] # a member of the answer
    ring = s.CharField()
    max_uses = s.IntegerField()
    seconds = s.IntegerField()


# -- directory ------------------------------------------------------------------------------------


class KeyRow(s.ModelSerializer[ApiKey]):
    """An API key without its secret, which nobody has but its holder."""

    replaced_by = s.CharField(source="replaced_by_id", allow_null=True)

    class Meta:
        model = ApiKey
        fields = (
            "key_id",
            "environment",
            "tenant",
            "name",
            "scopes",
            "created_at",
            "created_by_name",
            "expires_at",
            "revoked_at",
            "replaced_by",
        )


class CreatedKey(KeyRow):
    """``secret`` is shown this once, and null when the same request is sent again."""

    secret = s.CharField(allow_null=True)

    class Meta(KeyRow.Meta):
        fields = (*KeyRow.Meta.fields, "secret")  # type: ignore[assignment]


class NewKey(s.Serializer[Any]):
    tenant = s.CharField(max_length=512)
    name = s.CharField(max_length=100)
    expires_at = s.DateTimeField(required=False, allow_null=True, default=None)


class Rotation(s.Serializer[Any]):
    """``overlap_seconds``: how much longer the old key works."""

    overlap_seconds = s.IntegerField(
        min_value=0, max_value=int(LONGEST_OVERLAP.total_seconds()), required=False, default=0
    )


class ShareRow(s.ModelSerializer[TeamShare]):
    class Meta:
        model = TeamShare
        fields = ("environment", "tenant", "weight_ppm", "changed_at", "changed_by_name")


class NewShare(s.Serializer[Any]):
    weight_ppm = s.IntegerField(min_value=0, max_value=LARGEST_WEIGHT, help_text="1,000,000 is one.")


class TeamLimitRow(s.Serializer[Any]):
    of = s.ChoiceField(get_args(LimitOf))
    per = s.ChoiceField(get_args(LimitPer))
    amount = s.IntegerField(
        min_value=1,
        max_value=LARGEST_WEIGHT,
        help_text="Requests, tokens or thousand-millionths of money, by `of`.",
    )


class NewTeamLimits(s.Serializer[Any]):
    """All that is to be set; what is left out is the policy's own again."""

    limits = TeamLimitRow(many=True)


class TeamLimitSet(NewTeamLimits):
    """What administrators set for one team, over what the policy says."""

    environment = s.CharField()
    tenant = s.CharField()


class CreditRow(s.ModelSerializer[LimitCredit]):
    class Meta:
        model = LimitCredit
        fields = (
            "id",
            "environment",
            "tenant",
            "quota",
            "of",
            "per",
            "amount",
            "reason",
            "made_at",
            "ends_at",
            "made_by_name",
        )


class NewCredit(s.Serializer[Any]):
    quota = s.RegexField(NAME)
    of = s.ChoiceField(get_args(LimitOf))
    per = s.ChoiceField(get_args(LimitPer))
    amount = s.IntegerField(
        min_value=1,
        max_value=LARGEST_WEIGHT,
        required=False,
        allow_null=True,
        default=None,
        help_text="Requests, tokens or thousand-millionths of money, by `of`; null: all of the limit again.",
    )
    reason = s.CharField(max_length=500)


# -- overrides ------------------------------------------------------------------------------------


class OverrideRow(s.ModelSerializer[Override]):
    """``state``: ``waiting`` for a second person, ``in_force``, ``ended``, or ``lapsed``, never approved."""

    environment = s.CharField(source="environment_id")
    state = s.SerializerMethodField()
    change_set = s.IntegerField(source="change_set_id", allow_null=True)

    class Meta:
        model = Override
        fields = (
            "id",
            "environment",
            "kind",
            "subject",
            "amount_ppm",
            "reason",
            "state",
            "lasts",
            "asked_at",
            "asked_by_name",
            "approved_by_name",
            "issued_at",
            "expires_at",
            "ended_at",
            "ended_by_name",
            "change_set",
        )

    @extend_schema_field(s.ChoiceField(STATES))
    def get_state(self, row: Override) -> str:
        return state_of(row, now_us())


class NewOverride(s.Serializer[Any]):
    kind = s.ChoiceField(KINDS)
    subject = s.CharField(
        max_length=512,
        required=False,
        default="",
        allow_blank=True,
        help_text="A tenant, a key's id, a pool, a replica's URL, or QUOTA:OF:PER; nothing for a freeze.",
    )
    lasts = s.IntegerField(min_value=1, max_value=7 * 86_400, help_text="Seconds.")
    reason = s.CharField(max_length=300)
    amount_ppm = s.IntegerField(
        min_value=1, max_value=MAX_FACTOR, required=False, allow_null=True, default=None,
        help_text="`raise_limit`: the factor in millionths, at most 2,000,000.",
    )  # fmt: skip


class OverridePage(s.Serializer[Any]):
    items = OverrideRow(many=True)
    next = s.CharField(allow_null=True)


# -- pages ----------------------------------------------------------------------------------------


class ReleasePage(s.Serializer[Any]):
    items = ReleaseRow(many=True)
    next = s.CharField(allow_null=True)


class GatewayPage(s.Serializer[Any]):
    items = GatewayRow(many=True)
    next = s.CharField(allow_null=True)


class TokenPage(s.Serializer[Any]):
    items = TokenRow(many=True)
    next = s.CharField(allow_null=True)


class KeyPage(s.Serializer[Any]):
    items = KeyRow(many=True)
    next = s.CharField(allow_null=True)


class CreditPage(s.Serializer[Any]):
    items = CreditRow(many=True)
    next = s.CharField(allow_null=True)


class SharePage(s.Serializer[Any]):
    items = ShareRow(many=True)
    next = s.CharField(allow_null=True)
