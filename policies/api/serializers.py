"""What do callers send, and what do they get? The shapes the OpenAPI document is made of."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from policies.models import ChangeSet, Check, Head, Operation, Revision

LONGEST_FILE = 16 * 1024 * 1024
MOST_FILES = 10_000


class Problem(s.Serializer[Any]):
    """RFC 9457, the one shape of every refusal."""

    type = s.CharField()
    title = s.CharField()
    status = s.IntegerField()
    detail = s.CharField()
    code = s.CharField()
    retryable = s.BooleanField()
    retry_after = s.IntegerField(allow_null=True)
    object = s.DictField(allow_null=True)
    errors = s.ListField(child=s.DictField())  # type: ignore[assignment] # a member of the document


class HeadRow(s.ModelSerializer[Head]):
    """A current document in a list; its body is at its own address."""

    digest = s.CharField(source="document_id")

    class Meta:
        model = Head
        fields = ("kind", "name", "digest", "tenant", "tier", "pool", "rank", "starts", "ends", "labels")


class RevisionRow(s.ModelSerializer[Revision]):
    parent = s.CharField(source="parent_id", allow_null=True)  # type: ignore[assignment] # likewise
    root_tree = s.CharField(source="root_tree_id")
    change_set = s.IntegerField(source="change_set_id")

    class Meta:
        model = Revision
        fields = ("digest", "environment", "number", "parent", "root_tree", "change_set", "author_name", "at")


class OperationRow(s.ModelSerializer[Operation]):
    base_digest = s.SerializerMethodField()
    new_digest = s.CharField(source="new_document_id", allow_null=True)

    class Meta:
        model = Operation
        fields = ("kind", "name", "base_digest", "new_digest")

    def get_base_digest(self, row: Operation) -> str | None:
        return row.base_digest or None


class ChangeSetRow(s.ModelSerializer[ChangeSet]):
    base = s.CharField(source="base_id", allow_null=True)

    class Meta:
        model = ChangeSet
        fields = (
            "id",
            "environment",
            "base",
            "head_digest",
            "state",
            "reason",
            "ticket",
            "author_name",
            "created_at",
            "ended_at",
        )


class ChangeSetDetail(ChangeSetRow):
    operations = OperationRow(many=True)

    class Meta(ChangeSetRow.Meta):
        fields = (*ChangeSetRow.Meta.fields, "operations")  # type: ignore[assignment]


class CheckRow(s.ModelSerializer[Check]):
    """``head_digest``: the operations it is about. Any edit of the change set leaves it behind."""

    class Meta:
        model = Check
        fields = ("name", "state", "head_digest", "url", "summary", "reporter_name", "at")


class Checks(s.Serializer[Any]):
    items = CheckRow(many=True)


class NewCheck(s.Serializer[Any]):
    """``head_digest``: what was looked at; what is there now when it is left out."""

    name = s.CharField(max_length=100)
    state = s.ChoiceField(choices=Check.State.choices)
    head_digest = s.RegexField(r"^sha256:[0-9a-f]{64}\Z", required=False, default="")
    url = s.CharField(max_length=500, required=False, allow_blank=True, default="")
    summary = s.CharField(max_length=1000, required=False, allow_blank=True, default="")


class NewChangeSet(s.Serializer[Any]):
    environment = s.CharField(max_length=63)
    reason = s.CharField(max_length=1000, required=False, allow_blank=True, default="")
    ticket = s.CharField(max_length=200, required=False, allow_blank=True, default="")


class NewOperation(s.Serializer[Any]):
    """``document`` null deletes the object; ``base_digest`` null says that there was none."""

    kind = s.CharField(max_length=63)
    name = s.CharField(max_length=600)
    base_digest = s.CharField(max_length=71, allow_null=True)
    document = s.DictField(allow_null=True)


class PolicyFile(s.Serializer[Any]):
    name = s.CharField(max_length=500)
    text = s.CharField(max_length=LONGEST_FILE, allow_blank=True, trim_whitespace=False)


class PlanRequest(s.Serializer[Any]):
    """``prune``: delete what no file holds."""

    files = s.ListField(child=PolicyFile(), max_length=MOST_FILES)
    prune = s.BooleanField(required=False, default=False)


class ApplyRequest(PlanRequest):
    plan_digest = s.CharField(max_length=71)
    reason = s.CharField(max_length=1000, required=False, allow_blank=True, default="")


class PlanAnswer(s.Serializer[Any]):
    environment = s.CharField()
    base = s.CharField(allow_null=True)
    plan_digest = s.CharField()
    ok = s.BooleanField()
    operations = s.ListField(child=s.DictField())
    diagnostics = s.ListField(child=s.DictField())
    difference = s.DictField(
        allow_null=True, help_text="What the operations mean; null when not every file could be read."
    )


class Merged(s.Serializer[Any]):
    """The revision that holds the change. Null after applying nothing to nothing."""

    revision = RevisionRow(allow_null=True)


class Saved(s.Serializer[Any]):
    """``digest`` is null after a deletion."""

    digest = s.CharField(allow_null=True)
    revision = RevisionRow()


class Diagnostics(s.Serializer[Any]):
    ok = s.BooleanField()
    diagnostics = s.ListField(child=s.DictField())


class EnvironmentRow(s.Serializer[Any]):
    environment = s.CharField()
    revision = RevisionRow(allow_null=True)


class HeadPage(s.Serializer[Any]):
    items = HeadRow(many=True)
    next = s.CharField(allow_null=True)


class RevisionPage(s.Serializer[Any]):
    items = RevisionRow(many=True)
    next = s.CharField(allow_null=True)


class RevisionDocuments(s.Serializer[Any]):
    """A page of the documents of one revision."""

    revision = RevisionRow()
    items = s.ListField(child=s.DictField())
    next = s.CharField(allow_null=True)


class ChangeSetPage(s.Serializer[Any]):
    items = ChangeSetRow(many=True)
    next = s.CharField(allow_null=True)
