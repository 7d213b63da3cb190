"""What would a browser send if a person changed some fields of a page's form?"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class _Form(HTMLParser):
    """The successful controls of the form of one id, as browsers find them."""

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self.wanted = wanted
        self.action = ""
        self.fields: dict[str, list[str]] = {}
        self.invalid: set[str] = set()
        self._inside = False
        self._select = ""
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        told = dict(attrs)
        if tag == "form":
            self._inside = told.get("id") == self.wanted
            if self._inside:
                self.action = told["action"]
        if not self._inside:
            return
        name = told.get("name")
        if "aria-invalid" in told and name:
            self.invalid.add(name)
        if tag == "input" and name and (told.get("type") != "checkbox" or "checked" in told):
            self._add(name, told.get("value") or "")
        elif tag == "select" and name:
            self._select = name
        elif tag == "option" and self._select and ("selected" in told or self._select not in self.fields):
            self.fields[self._select] = [told.get("value") or ""]
        elif tag == "textarea" and name:
            self._area = name
            self.fields[name] = [""]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.fields[self._area][0] += data

    def _add(self, name: str, value: str) -> None:
        self.fields.setdefault(name, []).append(value)


class Form:
    """A form of a page: its fields, where it goes, and which of them were found wrong."""

    def __init__(self, response: Any, wanted: str = "editor") -> None:
        read = _Form(wanted)
        read.feed(response.content.decode())
        assert read.action, f"no form `{wanted}` on the page"
        self.action = read.action
        self.fields = {
            name: [text.removeprefix("\n") for text in values] for name, values in read.fields.items()
        }
        self.invalid = read.invalid

    def __getitem__(self, name: str) -> str:
        (value,) = self.fields[name]
        return value

    def filled(self, **changes: str) -> dict[str, list[str]]:
        """Everything it would send, with ``changes``: ``spec__band="1"`` is the field ``spec/band``."""
        named = {name.replace("__", "/"): [value] for name, value in changes.items()}
        unknown = named.keys() - self.fields.keys()
        assert not unknown, f"the page has no field {unknown}"
        return {**self.fields, **named}
