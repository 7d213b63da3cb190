"""What does somebody type to sign in?"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

from tenancy.models import User
from tenancy.permissions import may_sign_in_from


class SignInForm(AuthenticationForm):
    """Name and password. A demo account is refused from another machine as if it did not exist."""

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        for field, wants in (("username", "username"), ("password", "current-password")):
            self.fields[field].widget.attrs.update({"class": "field__input", "autocomplete": wants})
        self.fields["username"].label = "User name"
        self.error_messages["invalid_login"] = (
            "That user name and password do not go together. Both are case-sensitive."
        )

    def confirm_login_allowed(self, user: AbstractBaseUser) -> None:
        super().confirm_login_allowed(user)  # type: ignore[arg-type] # the stubs' own User
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        if not isinstance(user, User) or not may_sign_in_from(user, address):
            raise forms.ValidationError(self.error_messages["invalid_login"], code="invalid_login")
