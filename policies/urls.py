"""Addresses of the policy API, under /api/v1/."""

from __future__ import annotations

from django.urls import path, re_path

from policies.api import change_sets, documents, environments

ENVIRONMENT = r"environments/(?P<environment>[a-z0-9][a-z0-9-]{0,62})"
OBJECT = r"(?P<kind>[A-Za-z]{1,63})/(?P<name>[a-z0-9][a-z0-9./-]{0,599})"
REVISION = r"(?P<revision>current|[0-9]{1,15}|sha256:[0-9a-f]{64})"
KIND = r"(?P<kind>[A-Za-z]{1,63})"

app_name = "policies"
urlpatterns = [
    path("environments", environments.Environments.as_view(), name="environments"),
    re_path(rf"^{ENVIRONMENT}/revisions\Z", environments.Revisions.as_view(), name="revisions"),
    re_path(
        rf"^{ENVIRONMENT}/revisions/{REVISION}/documents\Z",
        environments.RevisionDocuments.as_view(),
        name="revision-documents",
    ),
    re_path(rf"^{ENVIRONMENT}/plan\Z", environments.PlanFolder.as_view(), name="plan"),
    re_path(rf"^{ENVIRONMENT}/apply\Z", environments.ApplyFolder.as_view(), name="apply"),
    re_path(rf"^{ENVIRONMENT}/documents/{KIND}\Z", documents.Documents.as_view(), name="documents"),
    re_path(rf"^{ENVIRONMENT}/documents/{OBJECT}\Z", documents.OneDocument.as_view(), name="document"),
    path("change-sets", change_sets.ChangeSets.as_view(), name="change-sets"),
    path("change-sets/<int:number>", change_sets.OneChangeSet.as_view(), name="change-set"),
    path("change-sets/<int:number>/operations", change_sets.Operations.as_view(), name="operations"),
    path(
        "change-sets/<int:number>/operations/<str:kind>/<path:name>",
        change_sets.OneOperation.as_view(),
        name="operation",
    ),
    path("change-sets/<int:number>/diagnostics", change_sets.Diagnostics.as_view(), name="diagnostics"),
    path("change-sets/<int:number>/checks", change_sets.Checks.as_view(), name="checks"),
    path("change-sets/<int:number>/merge", change_sets.Merge.as_view(), name="merge"),
    path("change-sets/<int:number>/close", change_sets.Close.as_view(), name="close"),
]
