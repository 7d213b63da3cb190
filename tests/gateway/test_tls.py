"""Is TLS spoken on both sides: to clients under a renewable certificate, to replicas that are believed?"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.settings import GatewaySettings
from gateway.tls import Certificate, TlsUnusable, trust
from tests.gateway import upstream as up
from tests.gateway.raw_client import RawClient
from tests.gateway.running import chat_body, chat_request, error_code, gateway, post
from tests.gateway.upstream import Upstream


def self_signed(folder: Path, file: str = "replica.pem") -> Path:
    """Key and certificate for 127.0.0.1 in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "replica")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    path = folder / file
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize("believed", [True, False])
async def test_an_https_replica_is_used_if_its_certificate_is_believed(tmp_path, believed):
    pem = self_signed(tmp_path)
    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    offered.load_cert_chain(pem)
    trust = ssl.create_default_context(cafile=str(pem)) if believed else ssl.create_default_context()
    one = Upstream()
    await one.listen(offered)
    async with gateway(tmp_path, [one.url.replace("http:", "https:")], tls=trust) as gw:
        got = await post(gw, stream=True)
        if believed:
            assert got.body.endswith(up.DONE)
            assert (await post(gw)).status == 200
        else:
            assert (got.status, error_code(got)) == (502, "upstream_failed")
            assert not one.calls
    await one.stop()


async def test_the_authorities_to_believe_can_be_given(tmp_path):
    pem = self_signed(tmp_path)
    offered = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    offered.load_cert_chain(pem)
    one = Upstream()
    await one.listen(offered)
    async with gateway(tmp_path, [one.url.replace("http:", "https:")], options={"replica_ca": pem}) as gw:
        assert (await post(gw)).status == 200
    await one.stop()


async def connect(port: int, pem: Path) -> RawClient:
    believing = ssl.create_default_context(cafile=pem)
    return RawClient(*await asyncio.open_connection("127.0.0.1", port, ssl=believing))


async def test_clients_are_spoken_to_in_tls_and_the_certificate_is_renewed_under_them(tmp_path):
    old, shown = self_signed(tmp_path, "old.pem"), tmp_path / "shown.pem"
    shown.write_bytes(old.read_bytes())
    options = {"tls_cert": shown, "tls_key": shown}
    async with up.replicas() as (one,), gateway(tmp_path, [one.url], options=options) as gw:
        client = await connect(gw.data.port, old)
        for stream in (True, False, True):
            await client.send(chat_request(chat_body(stream=stream)))
            assert (await client.answer()).status == 200
        renewed = self_signed(tmp_path, "new.pem")
        shown.write_bytes(renewed.read_bytes())
        assert gw.certificate is not None
        gw.certificate.refresh()
        later = await connect(gw.data.port, renewed)
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(gw.data.port, old)
        for each in (later, client):
            await each.send(chat_request(chat_body()))
            assert (await each.answer()).status == 200
        plain = await RawClient.to(gw.data.port)
        await plain.send(chat_request(chat_body()))
        assert await plain.ended()


async def test_files_that_do_not_fit_together_change_nothing_until_they_do(tmp_path):
    first, second = self_signed(tmp_path, "first.pem"), self_signed(tmp_path, "second.pem")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    for path in (certificate, key):
        path.write_bytes(first.read_bytes())
    options = {"tls_cert": certificate, "tls_key": key}
    async with gateway(tmp_path, ["http://127.0.0.1:9"], options=options) as gw:
        assert gw.certificate is not None
        certificate.write_bytes(second.read_bytes().partition(b"-----END PRIVATE KEY-----")[2])
        gw.certificate.refresh()
        (await connect(gw.data.port, first)).close()
        key.write_bytes(second.read_bytes())
        gw.certificate.refresh()
        (await connect(gw.data.port, second)).close()


def test_what_is_no_certificate_says_which_file_and_what_to_give(tmp_path):
    nothing = tmp_path / "nothing.pem"
    with pytest.raises(TlsUnusable, match=r"nothing\.pem.*--tls-cert"):
        Certificate(nothing, nothing)
    nothing.write_text("hello")
    with pytest.raises(TlsUnusable, match=r"nothing\.pem.*--replica-ca"):
        trust(nothing)
    with pytest.raises(ValueError, match="both --tls-cert and --tls-key"):
        GatewaySettings(state=tmp_path, tls_cert=nothing).require_one_way()
