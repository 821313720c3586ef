"""The certificate of a session is its transport key in the form that TLS carries, and nothing more."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from node.federation.certificate import certificate_key, listening_context, make_certificate
from protocol.errors import SessionError
from protocol.identity.keys import SigningKey

SEED = b"\x07" * 32


def test_the_key_in_the_certificate_is_the_transport_key() -> None:
    """What the dialer reads is what the genesis names."""
    der = make_certificate(SEED).public_bytes(Encoding.DER)
    assert certificate_key(der) == SigningKey(SEED).public


def test_one_key_always_makes_the_same_certificate() -> None:
    """No clock and no chance goes into it: a restarted router shows the same bytes."""
    assert make_certificate(SEED) == make_certificate(SEED)
    assert make_certificate(SEED) != make_certificate(b"\x08" * 32)


def test_the_private_key_does_not_stay_on_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is there while OpenSSL reads it, and then it is gone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    context = listening_context(SEED)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert list(tmp_path.iterdir()) == []


def test_other_certificates_are_refused() -> None:
    """A key of another kind, and bytes that are no certificate, have a code."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    other = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(moment)
        .not_valid_after(moment)
        .sign(key, hashes.SHA256())
    )
    for der in (other.public_bytes(Encoding.DER), b"", b"\x30\x03\x02\x01\x01"):
        with pytest.raises(SessionError) as refusal:
            certificate_key(der)
        assert refusal.value.code == "session_certificate_mismatch"
