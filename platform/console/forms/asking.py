"""What is typed to try a request, make a key, or let a gateway join?"""

from __future__ import annotations

from datetime import timedelta

from django import forms

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
