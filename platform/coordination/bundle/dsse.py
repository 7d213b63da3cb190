"""Did enough trusted keys sign exactly these bytes, as this kind of statement?

DSSE (https://github.com/secure-systems-lab/dsse): the signature covers the payload and its type, so a
pointer can never be passed off as a bundle. Stricter than DSSE in one way: every signature present
must be by a trusted key and must verify, and the envelope must be in canonical form, so that no byte
of an accepted envelope could have been another.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping, Sequence

from coordination.bundle.keys import PublicKey, SigningKey
from coordination.bundle.refusals import refuse
from coordination.bundle.values import Value, decode, encode

BUNDLE = "application/vnd.headway.bundle.v1+json"
POINTER = "application/vnd.headway.pointer.v1+json"
ROOT = "application/vnd.headway.root.v1+json"
OVERRIDE = "application/vnd.headway.override.v1+json"

MAX_ENVELOPE = 16 * 1024 * 1024
"""Bytes; refused before anything is parsed."""
MAX_SIGNATURES = 64


class Signature(Value, frozen=True):
    keyid: str
    sig: str
    """Base64."""


class Envelope(Value, frozen=True):
    payload: str
    """Base64."""
    payloadType: str  # noqa: N815 - the name is DSSE's
    signatures: tuple[Signature, ...]
    """One a key, sorted by key id."""


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: ``DSSEv1 SP len(type) SP type SP len(payload) SP payload``."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, payload_type: str, keys: Iterable[SigningKey]) -> bytes:
    """The envelope of ``payload``, signed by each of ``keys`` once."""
    message = pre_authentication_encoding(payload_type, payload)
    by_id = {key.key_id: key for key in keys}
    signatures = tuple(
        Signature(keyid=key_id, sig=b64encode(key.sign(message)).decode())
        for key_id, key in sorted(by_id.items())
    )
    return encode(
        Envelope(payload=b64encode(payload).decode(), payloadType=payload_type, signatures=signatures)
    )


def merge(envelopes: Sequence[bytes]) -> bytes:
    """One envelope with the signatures of all: how t people sign on t machines.

    Raises ``RefusedError`` when they are not about the same statement.
    """
    read = [_read(envelope, "") for envelope in envelopes]
    if len({(envelope.payloadType, envelope.payload) for envelope in read}) != 1:
        raise refuse("malformed_envelope", "the envelopes do not hold the same statement")
    signatures = {signature.keyid: signature for envelope in read for signature in envelope.signatures}
    ordered = tuple(signature for _, signature in sorted(signatures.items()))
    return encode(Envelope(payload=read[0].payload, payloadType=read[0].payloadType, signatures=ordered))


def verify(
    envelope: bytes,
    payload_type: str,
    trusted: Mapping[str, PublicKey],
    *,
    threshold: int = 1,
    file: str = "",
) -> bytes:
    """The payload, once at least ``threshold`` of the ``trusted`` keys (by key id) signed it.

    The bytes returned are those that were verified. Raises ``RefusedError``: ``too_large``,
    ``malformed_envelope``, ``unknown_key``, ``bad_signature`` or ``threshold_not_met``.
    """
    if threshold < 1:
        raise ValueError("a threshold below one verifies nothing")
    statement, payload = _statement(envelope, payload_type, file)
    message = pre_authentication_encoding(payload_type, payload)
    for index, signature in enumerate(statement.signatures):
        where = f"/signatures/{index}"
        key = trusted.get(signature.keyid)
        if key is None:
            raise refuse(
                "unknown_key",
                f"signed by {signature.keyid!r}, which is not trusted for this",
                file=file,
                json_pointer=f"{where}/keyid",
            )
        if key.key_id != signature.keyid:
            raise ValueError(f"the trusted key {signature.keyid} is filed under a false id")
        if not key.verifies(_base64(signature.sig, file, f"{where}/sig"), message):
            raise refuse(
                "bad_signature",
                f"the signature of {signature.keyid} does not match",
                file=file,
                json_pointer=f"{where}/sig",
            )
    if len(statement.signatures) < threshold:
        raise refuse(
            "threshold_not_met",
            f"{len(statement.signatures)} of {threshold} needed signatures",
            file=file,
            json_pointer="/signatures",
        )
    return payload


def peek(envelope: bytes, payload_type: str, *, file: str = "") -> bytes:
    """The payload, NOT verified: only for a statement that names the keys it is verified with."""
    return _statement(envelope, payload_type, file)[1]


def signers(envelope: bytes) -> tuple[str, ...]:
    """Key ids an envelope names. Hints for people: nothing is verified."""
    return tuple(signature.keyid for signature in _read(envelope, "").signatures)


def _read(data: bytes, file: str) -> Envelope:
    if len(data) > MAX_ENVELOPE:
        raise refuse("too_large", f"{len(data)} bytes, more than {MAX_ENVELOPE}", file=file)
    envelope = decode(data, Envelope, code="malformed_envelope", file=file)
    ids = [signature.keyid for signature in envelope.signatures]
    if len(ids) > MAX_SIGNATURES:
        raise refuse("too_large", f"more than {MAX_SIGNATURES} signatures", file=file)
    if ids != sorted(set(ids)):
        raise refuse(
            "malformed_envelope",
            "signatures are not sorted by key id, or a key signs twice",
            file=file,
            json_pointer="/signatures",
        )
    return envelope


def _statement(data: bytes, payload_type: str, file: str) -> tuple[Envelope, bytes]:
    envelope = _read(data, file)
    if envelope.payloadType != payload_type:
        raise refuse(
            "malformed_envelope",
            f"holds a statement of type {envelope.payloadType!r}, not {payload_type!r}",
            file=file,
            json_pointer="/payloadType",
        )
    return envelope, _base64(envelope.payload, file, "/payload")


def _base64(text: str, file: str, pointer: str) -> bytes:
    """Strict base64: standard alphabet, padded, no spare bits set."""
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise refuse("malformed_envelope", "not base64", file=file, json_pointer=pointer) from None
    if b64encode(data).decode() != text:
        raise refuse("malformed_envelope", "not canonical base64", file=file, json_pointer=pointer)
    return data
