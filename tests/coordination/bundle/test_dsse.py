"""Envelopes: the published test vector, and every way in which one does not hold."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

import pytest

from coordination.bundle import dsse
from coordination.bundle.keys import KeyFormatError, PublicKey, SigningKey
from coordination.bundle.refusals import RefusedError
from coordination.program.canonical import canonical_bytes
from tests.coordination.bundle.samples import KEY, OTHER_KEY, THIRD_KEY

PAYLOAD = b'{"a":1}'
TRUSTED = {key.key_id: key.public for key in (KEY, OTHER_KEY)}


def refused(envelope, *, kind=dsse.BUNDLE, trusted=TRUSTED, threshold=1):
    with pytest.raises(RefusedError) as caught:
        dsse.verify(envelope, kind, trusted, threshold=threshold, file="f")
    return caught.value.refused


def changed(envelope, change):
    value = json.loads(envelope)
    change(value)
    return canonical_bytes(value)


def test_what_is_signed_is_the_encoding_of_the_specification():
    """The example of DSSE's protocol.md."""
    encoded = dsse.pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_are_of_bytes_not_characters():
    assert dsse.pre_authentication_encoding("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_ed25519_is_that_of_rfc_8032():
    """Section 7.1, test 2."""
    key = SigningKey.from_seed(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    )
    assert key.public.raw.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_an_envelope_has_the_known_structure():
    envelope = json.loads(dsse.sign(PAYLOAD, dsse.BUNDLE, [KEY]))
    assert envelope.keys() == {"payload", "payloadType", "signatures"}
    assert envelope["payloadType"] == "application/vnd.headway.bundle.v1+json"
    assert b64decode(envelope["payload"]) == PAYLOAD
    assert [signature.keys() for signature in envelope["signatures"]] == [{"keyid", "sig"}]
    assert KEY.public.verifies(
        b64decode(envelope["signatures"][0]["sig"]),
        b"DSSEv1 38 application/vnd.headway.bundle.v1+json 7 " + PAYLOAD,
    )


def test_each_statement_has_its_own_type():
    kinds = {dsse.BUNDLE, dsse.POINTER, dsse.ROOT, dsse.OVERRIDE}
    assert len(kinds) == 4
    for kind in kinds:
        for other in kinds - {kind}:
            assert refused(dsse.sign(PAYLOAD, kind, [KEY]), kind=other).code == "malformed_envelope"


def test_a_relabelled_statement_is_not_signed():
    envelope = dsse.sign(PAYLOAD, dsse.POINTER, [KEY])
    relabelled = changed(envelope, lambda v: v.update(payloadType=dsse.BUNDLE))
    assert refused(relabelled).code == "bad_signature"


def test_the_verified_bytes_come_back():
    assert dsse.verify(dsse.sign(PAYLOAD, dsse.BUNDLE, [KEY]), dsse.BUNDLE, TRUSTED) == PAYLOAD


@pytest.mark.parametrize(
    ("signers", "threshold", "code"),
    [
        ([KEY], 1, None),
        ([KEY, OTHER_KEY], 2, None),
        ([KEY, OTHER_KEY], 1, None),
        ([KEY], 2, "threshold_not_met"),
        ([KEY, KEY], 2, "threshold_not_met"),
        ([], 1, "threshold_not_met"),
        ([THIRD_KEY], 1, "unknown_key"),
        ([KEY, OTHER_KEY, THIRD_KEY], 2, "unknown_key"),
    ],
)
def test_a_threshold_counts_trusted_keys_once_each(signers, threshold, code):
    envelope = dsse.sign(PAYLOAD, dsse.BUNDLE, signers)
    if code is None:
        assert dsse.verify(envelope, dsse.BUNDLE, TRUSTED, threshold=threshold) == PAYLOAD
    else:
        assert refused(envelope, threshold=threshold).code == code


def test_a_threshold_of_none_is_a_callers_mistake():
    with pytest.raises(ValueError, match="threshold"):
        dsse.verify(dsse.sign(PAYLOAD, dsse.BUNDLE, []), dsse.BUNDLE, TRUSTED, threshold=0)


def test_signatures_made_apart_are_merged():
    apart = [dsse.sign(PAYLOAD, dsse.BUNDLE, [key]) for key in (OTHER_KEY, KEY)]
    assert dsse.merge(apart) == dsse.sign(PAYLOAD, dsse.BUNDLE, [KEY, OTHER_KEY])
    with pytest.raises(RefusedError, match="same statement"):
        dsse.merge([apart[0], dsse.sign(b"{}", dsse.BUNDLE, [KEY])])


def _swap_signatures(value):
    one, other = value["signatures"]
    one["sig"], other["sig"] = other["sig"], one["sig"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(
            lambda v: v.update(payload=b64encode(b'{"a":2}').decode()), "bad_signature", id="payload"
        ),
        pytest.param(_swap_signatures, "bad_signature", id="signatures of each other's keys"),
        pytest.param(lambda v: v["signatures"].reverse(), "malformed_envelope", id="signatures out of order"),
        pytest.param(
            lambda v: v["signatures"].append(v["signatures"][1]),
            "malformed_envelope",
            id="a key signing twice",
        ),
        pytest.param(lambda v: v.update(extra=1), "malformed_envelope", id="a field more"),
        pytest.param(lambda v: v.pop("payloadType"), "malformed_envelope", id="a field less"),
        pytest.param(lambda v: v["signatures"][0].update(sig="!"), "malformed_envelope", id="not base64"),
        pytest.param(
            lambda v: v["signatures"][0].update(sig=v["signatures"][0]["sig"] + "\n"),
            "malformed_envelope",
            id="base64 with a line end",
        ),
        pytest.param(
            lambda v: v.update(payload=v["payload"].replace("fQ==", "fR==")),
            "malformed_envelope",
            id="spare bits of base64",
        ),
        pytest.param(
            lambda v: v["signatures"][0].update(sig=b64encode(b"short").decode()),
            "bad_signature",
            id="too short",
        ),
        pytest.param(lambda v: v.update(signatures="none"), "malformed_envelope", id="wrong type"),
    ],
)
def test_an_envelope_is_refused(change, code):
    assert refused(changed(dsse.sign(PAYLOAD, dsse.BUNDLE, [KEY, OTHER_KEY]), change)).code == code


def test_the_other_spelling_of_a_signature_is_refused():
    """s + L verifies under careless Ed25519; then an envelope would have two digests."""
    envelope = json.loads(dsse.sign(PAYLOAD, dsse.BUNDLE, [KEY]))
    raw = b64decode(envelope["signatures"][0]["sig"])
    order = 2**252 + 27742317777372353535851937790883648493
    shifted = (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    envelope["signatures"][0]["sig"] = b64encode(raw[:32] + shifted).decode()
    assert refused(canonical_bytes(envelope)).code == "bad_signature"


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b'"x"', b"\xff", b"[" * 5000, b'{"payload":"","payloadType":"","signatures":[]} '],
)
def test_garbage_is_refused_in_code(data):
    assert refused(data).code == "malformed_envelope"


def test_a_huge_envelope_is_refused_unread():
    assert refused(b"[" * (dsse.MAX_ENVELOPE + 1)).code == "too_large"


def test_every_flipped_bit_of_an_envelope_is_refused():
    envelope = dsse.sign(PAYLOAD, dsse.BUNDLE, [KEY, OTHER_KEY])
    for at in range(len(envelope)):
        for bit in range(8):
            flipped = envelope[:at] + bytes([envelope[at] ^ 1 << bit]) + envelope[at + 1 :]
            assert refused(flipped).code in ("malformed_envelope", "bad_signature", "unknown_key")


def test_keys_survive_their_files():
    assert SigningKey.from_pem(KEY.to_pem()).key_id == KEY.key_id
    assert PublicKey.from_pem(KEY.public.to_pem()) == KEY.public
    assert KEY.to_pem().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert KEY.public.to_pem().startswith(b"-----BEGIN PUBLIC KEY-----\n")


def test_a_private_key_does_not_show_itself():
    assert KEY.to_pem().split(b"\n")[1].decode() not in repr(KEY)
    assert repr(KEY) == f"SigningKey({KEY.key_id})"


@pytest.mark.parametrize(
    "data", [b"", b"hello", KEY.public.to_pem(), KEY.to_pem()[:40]], ids=["empty", "text", "public", "cut"]
)
def test_what_is_no_private_key_is_refused(data):
    with pytest.raises(KeyFormatError):
        SigningKey.from_pem(data)


@pytest.mark.parametrize("data", [b"", KEY.to_pem()], ids=["empty", "private"])
def test_what_is_no_public_key_is_refused(data):
    with pytest.raises(KeyFormatError):
        PublicKey.from_pem(data)


def test_keys_of_other_kinds_are_refused():
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    other = generate_private_key(SECP256R1())
    with pytest.raises(KeyFormatError, match="Ed25519"):
        SigningKey.from_pem(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyFormatError, match="Ed25519"):
        PublicKey.from_pem(public)
    locked = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    with pytest.raises(KeyFormatError, match="encrypted"):
        SigningKey.from_pem(locked)
