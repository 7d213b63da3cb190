"""Which route would a request take? Asked beside the decision table, answered by the compiled policy."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from console.forms.asking import TryForm
from console.mapping import trying
from console.views.desk import DeskRequest, for_staff, show
from policies.services import clock


@require_safe
@for_staff
def try_request(request: DeskRequest) -> HttpResponse:
    """The answer alone, for the page that asks; every part of the question is in the address."""
    form = TryForm(request.GET)
    program = trying.program_of(request.desk.environment) if form.is_valid() else None
    answer = None
    if program is not None:
        asked = trying.Asked(
            tenant=form.cleaned_data["tenant"],
            model=form.cleaned_data["model"],
            service_tier=form.cleaned_data["service_tier"],
            prompt_tokens=form.cleaned_data["prompt_tokens"] or 0,
        )
        routes = trying.current_routes(request.desk.environment)
        answer = trying.ask(program, asked, routes, clock.micros(clock.midnight()))
    context = {"form": form, "answer": answer, "compiles": program is not None}
    return show(request, "console/policies/_tried.html", "policies", context)
