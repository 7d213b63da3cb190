"""Policy's records as they are stored: documents by kind, revisions, proposals, bundles."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin
from unfold.admin import TabularInline

from foundation.read_only import ReadOnlyAdmin
from policies.mapping.documents import as_yaml
from policies.models import (
    Build,
    Bundle,
    ChangeSet,
    Document,
    ExpectationHead,
    Head,
    ModelHead,
    Operation,
    PoolHead,
    PriceBookHead,
    QuotaHead,
    ReservationHead,
    Revision,
    RouteHead,
    TenantHead,
    TierHead,
)


@admin.register(
    ModelHead,
    PoolHead,
    TenantHead,
    TierHead,
    ReservationHead,
    QuotaHead,
    PriceBookHead,
    RouteHead,
    ExpectationHead,
)
class Heads(ReadOnlyAdmin):
    """One list for each kind, with the columns that kind has."""

    search_fields: ClassVar = ["name"]
    list_filter: ClassVar = ["environment"]
    list_select_related = False
    readonly_fields: ClassVar = ["text"]
    raw_id_fields: ClassVar = ["document"]
    columns: ClassVar[dict[type[Head], list[str]]] = {
        ReservationHead: ["tenant", "pool", "tier", "starts", "ends"],
        QuotaHead: ["tenant"],
        RouteHead: ["rank"],
    }

    def get_list_display(self, request: Any) -> list[str]:  # noqa: ARG002 - Django's signature
        return ["name", "environment", *self.columns.get(self.model, []), "document_id"]

    @admin.display(description="Document")
    def text(self, row: Head) -> str:
        return as_yaml(row.document)


@admin.register(Document)
class Documents(ReadOnlyAdmin):
    list_display: ClassVar = ["digest", "kind", "name", "size"]
    search_fields: ClassVar = ["name", "digest"]
    readonly_fields: ClassVar = ["text"]

    @admin.display(description="Body")
    def text(self, row: Document) -> str:
        return as_yaml(row)


@admin.register(Revision)
class Revisions(ReadOnlyAdmin):
    list_display: ClassVar = ["environment", "number", "author_name", "at", "digest"]
    list_filter: ClassVar = ["environment"]
    raw_id_fields: ClassVar = ["parent", "root_tree", "change_set"]


class OperationsInline(TabularInline):  # type: ignore[misc] # the package has no types
    model = Operation
    can_delete = False
    extra = 0
    fields = readonly_fields = ("kind", "name", "base_digest", "new_document_id")

    def has_add_permission(self, *_: Any) -> bool:
        return False

    def has_view_permission(self, *_: Any) -> bool:
        return True


@admin.register(ChangeSet)
class ChangeSets(ReadOnlyAdmin):
    list_display: ClassVar = ["id", "environment", "state", "author_name", "reason", "created_at", "ended_at"]
    list_filter: ClassVar = ["environment", "state"]
    raw_id_fields: ClassVar = ["base", "author"]
    inlines: ClassVar = [OperationsInline]


@admin.register(Build)
class Builds(ReadOnlyAdmin):
    list_display: ClassVar = ["revision_id", "environment", "at", "compiler", "bundle_id"]
    list_filter: ClassVar = ["environment"]
    raw_id_fields: ClassVar = ["revision", "bundle"]


@admin.register(Bundle)
class Bundles(ReadOnlyAdmin):
    list_display: ClassVar = ["digest", "environment", "size", "created_at"]
    list_filter: ClassVar = ["environment"]
    readonly_fields: ClassVar = ["contents"]

    @admin.display(description="Manifest")
    def contents(self, row: Bundle) -> str:
        return json.dumps(json.loads(bytes(row.manifest)), indent=2)
