"""How does a refusal leave a Django view, and what answers an address under /api/ that leads nowhere?"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from foundation.http.refusals import NotFound, Refused

PROBLEM_JSON = "application/problem+json"
API = "/api/"


def problem_response(refused: Refused) -> JsonResponse:
    """A refusal as ``application/problem+json``, with ``Retry-After`` where there is one."""
    response = JsonResponse(refused.problem(), status=refused.http_status, content_type=PROBLEM_JSON)
    if refused.retry_after is not None:
        response["Retry-After"] = str(refused.retry_after)
    return response


class ProblemMiddleware:
    """Turns a ``Refused`` that a view under /api/ lets out into a problem; pages show their own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, Refused) and request.path.startswith(API):
            return problem_response(exception)
        return None


@csrf_exempt
@login_not_required
def unknown_address(request: HttpRequest) -> HttpResponse:
    """The last route under /api/."""
    return problem_response(NotFound("not_found", f"Nothing answers at {request.path}."))
