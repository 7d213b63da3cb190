"""What is typed to make a key, replace one, or move a share?"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms

from coordination.spec.quantities import MILLION
from tenancy.credentials import KEY_SCOPES

SCOPES = {"inference": "Send requests to models"}
"""What each scope lets its holder do."""


class KeyForm(forms.Form):
    """A new key."""

    name = forms.CharField(max_length=100, label="What it is for")
    team = forms.ChoiceField(label="Team")
    scopes = forms.MultipleChoiceField(
        label="May", choices=[(scope, SCOPES[scope]) for scope in KEY_SCOPES], initial=list(KEY_SCOPES)
    )
    days = forms.IntegerField(
        label="Expires after", min_value=1, max_value=3650, required=False, help_text="days; blank: never"
    )

    def __init__(self, data: Any, *, teams: list[str]) -> None:
        super().__init__(data)
        self.fields["team"].choices = [(name, name) for name in teams]  # type: ignore[attr-defined]


class RotateForm(forms.Form):
    """How long the old key works beside the new one."""

    hours = forms.IntegerField(label="Both work for", min_value=0, max_value=168, initial=24)

    @property
    def overlap(self) -> timedelta:
        return timedelta(hours=self.cleaned_data["hours"])


class AskForm(forms.Form):
    """Another size of a limit, for an operator to review. Whose limit it may be is the service's to say."""

    wish = forms.CharField(max_length=200, label="Limit")
    amount = forms.CharField(max_length=40, label="Wanted")
    reason = forms.CharField(max_length=500, label="Reason")


class MoveForm(forms.Form):
    """Some weight of one team for another. Whether the teams may be named is the service's to say."""

    giver = forms.CharField(max_length=512, label="From")
    taker = forms.CharField(max_length=512, label="To")
    amount = forms.DecimalField(
        label="Weight", min_value=Decimal("0.000001"), max_value=Decimal(1_000_000), decimal_places=6
    )
    version = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    @property
    def amount_ppm(self) -> int:
        return int(self.cleaned_data["amount"] * MILLION)
