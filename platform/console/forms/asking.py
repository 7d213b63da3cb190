"""What is typed to try a request, make a key, or let a gateway join?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django import forms

from console.mapping.overriding import Measure
from delivery.overrides.subjects import Limited

LONGEST_PROMPT = 10_000_000


class TryForm(forms.Form):
    """A request in a client's words."""

    tenant = forms.CharField(max_length=600)
    model = forms.CharField(max_length=200)
    service_tier = forms.CharField(max_length=63, required=False)
    prompt_tokens = forms.IntegerField(
        label="Prompt tokens", min_value=0, max_value=LONGEST_PROMPT, required=False
    )


class KeyForm(forms.Form):
    """A new key for a tenant."""

    tenant = forms.ChoiceField()
    name = forms.CharField(max_length=100, label="What it is for")
    days = forms.IntegerField(
        label="Expires after", min_value=1, max_value=3650, required=False, help_text="days; blank: never"
    )

    def __init__(self, data: object, *, tenants: list[str]) -> None:
        super().__init__(data)  # type: ignore[arg-type] # a QueryDict or None
        self.fields["tenant"].choices = [(name, name) for name in tenants]  # type: ignore[attr-defined]


class RotateForm(forms.Form):
    """How long the old key works beside the new one."""

    hours = forms.IntegerField(label="Both work for", min_value=0, max_value=168, initial=24)

    @property
    def overlap(self) -> timedelta:
        return timedelta(hours=self.cleaned_data["hours"])


class EnrolForm(forms.Form):
    """How many gateways may join with one token."""

    gateways = forms.IntegerField(label="Gateways", min_value=1, max_value=100, initial=1)


class TokenForm(forms.Form):
    """A program's sign-in to the REST API."""

    name = forms.CharField(max_length=100, label="What it is for")
    scopes = forms.MultipleChoiceField(label="May", widget=forms.CheckboxSelectMultiple)
    days = forms.IntegerField(label="Expires after", min_value=1, max_value=366, initial=90, help_text="days")

    def __init__(self, data: object, *, scopes: list[tuple[str, str]]) -> None:
        super().__init__(data)  # type: ignore[arg-type] # a QueryDict or None
        self.fields["scopes"].choices = scopes  # type: ignore[attr-defined]


class OverrideForm(forms.Form):
    """An emergency measure. ``cleaned_data`` is what the service takes."""

    subject = forms.CharField(max_length=512, required=False, strip=True)
    lasts = forms.TypedChoiceField(label="For", coerce=int)
    amount_ppm = forms.TypedChoiceField(label="To", coerce=int, required=False, empty_value=None)
    reason = forms.CharField(max_length=300, label="Why")

    def __init__(
        self,
        data: object,
        *,
        measure: Measure,
        factors: Sequence[tuple[int, str]],
        initial: dict[str, Any],
    ) -> None:
        super().__init__(data, initial=initial)  # type: ignore[arg-type] # a QueryDict or None
        self.fields["lasts"].choices = measure.lasts  # type: ignore[attr-defined]
        self.fields["subject"].label = measure.about
        self.fields["subject"].required = bool(measure.about)
        self.fields["amount_ppm"].required = measure.widens
        self.fields["amount_ppm"].choices = factors if measure.widens else ()  # type: ignore[attr-defined]


class CreditForm(forms.Form):
    """More of a limit, or all of it again."""

    limit = forms.ChoiceField(label="Limit")
    more = forms.DecimalField(
        label="How much more", min_value=0, max_digits=18, decimal_places=6, required=False
    )
    all = forms.BooleanField(label="All of it again", required=False)
    reason = forms.CharField(max_length=500, label="Why")

    def __init__(self, data: object, *, limits: Mapping[str, Limited], initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)  # type: ignore[arg-type] # a QueryDict or None
        self.fields["limit"].choices = [(name, name) for name in limits]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not cleaned.get("all") and not cleaned.get("more"):
            self.add_error("more", "Say how much, or that it is all of it.")
        return cleaned

    def amount(self, limit: Limited) -> int | None:
        """As credits count it: whole units, or nano-units of money; ``None`` for all of it again."""
        if self.cleaned_data["all"]:
            return None
        return int(self.cleaned_data["more"] * (1_000_000_000 if limit.currency else 1))
