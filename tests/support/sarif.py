"""What SARIF 2.1.0 asks of the part of it that is written here: a JSON Schema from the standard's text.

Section numbers are those of the OASIS standard of 27 March 2020. Objects are closed, so a property
that is misspelt or stands in the wrong place is found.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
COUNT = {"type": "integer", "minimum": 0}
PLACE = {"type": "integer", "minimum": 1}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
TEXT = {"type": "string", "minLength": 1}
BAG = {"type": "object"}
URI_REFERENCE = {"type": "string", "pattern": r"^(?:[A-Za-z0-9._~!$&'()*+,;=:@/?#\[\]-]|%[0-9A-F]{2})+$"}


def closed(required: list[str], **properties: Any) -> Schema:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


MESSAGE = closed(["text"], text=TEXT, markdown=TEXT)
"""3.11 message, 3.12 multiformatMessageString: plain text is required when there is Markdown."""

REGION = closed(["startLine"], startLine=PLACE, startColumn=PLACE, endLine=PLACE, endColumn=PLACE)
"""3.30: lines and columns count from 1, an end column is one past the last."""

PHYSICAL = closed(
    ["artifactLocation"], artifactLocation=closed(["uri"], uri=URI_REFERENCE), region=REGION
)  # 3.29, 3.4

LOGICAL = closed([], name=TEXT, fullyQualifiedName=TEXT, kind=TEXT)  # 3.33

LOCATION = closed(
    [],
    id={"type": "integer", "minimum": -1},
    message=MESSAGE,
    physicalLocation=PHYSICAL,
    logicalLocations={"type": "array", "items": LOGICAL, "uniqueItems": True},
)
"""3.28"""

RESULT = closed(
    ["message"],
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": -1},
    level=LEVEL,
    message=MESSAGE,
    locations={"type": "array", "items": LOCATION},
    relatedLocations={"type": "array", "items": LOCATION, "uniqueItems": True},
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
    properties=BAG,
)
"""3.27"""

RULE = closed(
    ["id"],
    id=TEXT,
    shortDescription=MESSAGE,
    help=MESSAGE,
    helpUri={"type": "string", "format": "uri"},
    defaultConfiguration=closed([], level=LEVEL, enabled={"type": "boolean"}),
)
"""3.49 reportingDescriptor, 3.50 reportingConfiguration"""

DRIVER = closed(
    ["name"],
    name=TEXT,
    version=TEXT,
    # 3.19.12: as Semantic Versioning 2.0 writes it
    semanticVersion={
        "type": "string",
        "pattern": r"^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$",
    },
    rules={"type": "array", "items": RULE, "uniqueItems": True},
)
"""3.19 toolComponent"""

RUN = closed(
    ["tool"],
    tool=closed(["driver"], driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
)
"""3.14"""

LOG: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **closed(
        ["version", "runs"],
        **{"$schema": {"type": "string", "format": "uri"}},
        version={"const": "2.1.0"},
        runs={"type": "array", "items": RUN},
    ),
}
"""3.13"""
