"""Are https replicas reached, and only those whose certificate is believed?"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.gateway import upstream as up
from tests.gateway.running import error_code, gateway, post
from tests.gateway.upstream import Upstream


def self_signed(folder: Path) -> Path:
    """Key and certificate for 127.0.0.1 in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "replica")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    path = folder / "replica.pem"
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
