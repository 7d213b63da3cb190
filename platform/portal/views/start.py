"""How does a tenant's developer make a first call?"""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from portal.selectors.contract import models_for
from portal.views.desk import DeskRequest, for_members, show


@require_safe
@for_members
def start(request: DeskRequest) -> HttpResponse:
    """The base URL, and calls to paste."""
    models = models_for(request.desk.environment, request.desk.tenant)
    context = {"models": models, "model": models[0] if models else "MODEL"}
    return show(request, "portal/start.html", "start", context)
