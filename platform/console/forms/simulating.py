"""What is typed to have something simulated, or to bring a trace?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import forms

from simulations.mapping.inputs import MOST_SEEDS, MOST_VALUES, Ask, MixEntry
from simulations.mapping.policies import Wanted

_CLIENT = re.compile(r"(?P<tenant>[^:=\s]+)(?::(?P<tier>[^=\s]+))?(?:=(?P<weight>\d{1,6}))?")
_REPLICAS = re.compile(r"(?P<pool>[^=\s]+)=(?P<count>\d{1,4})")


class TraceForm(forms.Form):
    """A file, and what it is to be called."""

    name = forms.CharField(max_length=120, required=False)
    file = forms.FileField(allow_empty_file=True)


class ProfileForm(forms.Form):
    """A file of ``headway calibrate``."""

    file = forms.FileField(allow_empty_file=True)


class SimulationForm(forms.Form):
    """A question in the words of the page. Policies are ``current``, ``released`` or ``change_set:N``."""

    policy = forms.CharField(max_length=100)
    against = forms.CharField(max_length=100, required=False)
    traffic = forms.CharField(max_length=200, label="Traffic")
    speed = forms.FloatField(min_value=0.001, max_value=1e6, initial=1.0)
    seed = forms.IntegerField(min_value=0, max_value=2**62, initial=1)
    seeds = forms.IntegerField(min_value=1, max_value=MOST_SEEDS, initial=1)
    limit = forms.IntegerField(min_value=1, required=False)
    mix = forms.CharField(max_length=5000, required=False)
    replicas = forms.CharField(max_length=1000, required=False)
    host_tokens = forms.IntegerField(min_value=0, max_value=10**12, initial=0, required=False)
    profile = forms.TypedMultipleChoiceField(required=False, coerce=int)
    knob = forms.CharField(max_length=100, required=False)
    values = forms.CharField(max_length=1000, required=False)

    def __init__(self, *given: Any, profiles: Iterable[int] = (), **more: Any) -> None:
        """``profiles``: numbers of those that can be chosen; ``pools-N``: which pools N is for."""
        super().__init__(*given, **more)
        chosen = self.fields["profile"]
        assert isinstance(chosen, forms.TypedMultipleChoiceField)  # noqa: S101
        chosen.choices = [(str(number), str(number)) for number in profiles]

    def pools_of(self, number: int) -> str:
        """As typed."""
        return str(self.data.get(f"pools-{number}", ""))[:1000]

    def clean_policy(self) -> Wanted:
        return _wanted(self.cleaned_data["policy"])

    def clean_against(self) -> Wanted | None:
        given = self.cleaned_data["against"]
        return _wanted(given) if given else None

    def clean_traffic(self) -> tuple[int | None, str]:
        kind, _, which = self.cleaned_data["traffic"].partition(":")
        if kind == "trace" and which.isascii() and which.isdigit() and len(which) < 19:
            return int(which), ""
        if kind == "example" and which:
            return None, which
        raise forms.ValidationError("Choose a trace or an example.")

    def clean_mix(self) -> tuple[MixEntry, ...]:
        """``acme:priority=3 globex=1``."""
        found = []
        for part in self.cleaned_data["mix"].replace(",", " ").split():
            match = _CLIENT.fullmatch(part)
            if match is None:
                raise forms.ValidationError(f"{part}: not like acme:priority=3 or globex=1.")
            found.append((match["tenant"], match["tier"], int(match["weight"] or 1)))
        return tuple(found)

    def clean_replicas(self) -> dict[str, int]:
        """``chat-a=4 chat-b=2``."""
        found = {}
        for part in self.cleaned_data["replicas"].replace(",", " ").split():
            match = _REPLICAS.fullmatch(part)
            if match is None:
                raise forms.ValidationError(f"{part}: not like chat-a=4.")
            found[match["pool"]] = int(match["count"])
        return found

    def clean_values(self) -> tuple[float, ...]:
        parts = self.cleaned_data["values"].replace(",", " ").split()
        try:
            found = tuple(float(part) for part in parts)
        except ValueError:
            raise forms.ValidationError("Numbers, such as 1, 1.5, 2.") from None
        if len(found) > MOST_VALUES:
            raise forms.ValidationError(f"At most {MOST_VALUES} values.")
        return found

    def ask(self) -> Ask:
        given = self.cleaned_data
        trace, example = given["traffic"]
        return Ask(
            policy=given["policy"],
            against=given["against"],
            trace=trace,
            example=example,
            speed=given["speed"],
            seed=given["seed"],
            seeds=given["seeds"],
            limit=given["limit"],
            mix=given["mix"],
            host_tokens=given["host_tokens"] or 0,
            replicas=given["replicas"],
            knob=given["knob"].strip(),
            values=given["values"],
            profiles=tuple(
                (pool, number)
                for number in given["profile"]
                for pool in self.pools_of(number).replace(",", " ").split() or [""]
            ),
        )


def _wanted(given: str) -> Wanted:
    source, _, which = given.partition(":")
    if source in ("current", "released") and not which:
        return Wanted(source)
    if source == "change_set" and which.isascii() and which.isdigit() and len(which) < 19:
        return Wanted(source, change_set=int(which))
    if source == "revision" and which:
        return Wanted(source, revision=which)
    raise forms.ValidationError("Choose a policy.")
