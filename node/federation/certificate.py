"""TLS for sessions: a certificate made of the transport key, and the key read out of one (PROTOCOL.md section 17.1).

The certificate is only the form in which TLS carries a key: nobody reads its name or its dates, and the same
key always makes the same bytes.

    context = listening_context(transport_seed)
    certificate_key(peer_certificate) == transport_public
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from protocol.errors import SessionError

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wildgrass")])
_FROM = datetime(2020, 1, 1, tzinfo=UTC)
_UNTIL = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280: no well-defined end


def make_certificate(transport_seed: bytes) -> x509.Certificate:
    """Return the self-signed certificate of a transport key, from its 32-byte seed."""
    key = Ed25519PrivateKey.from_private_bytes(transport_seed)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_NAME)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
    )
    return builder.sign(key, None)


def listening_context(transport_seed: bytes) -> ssl.SSLContext:
    """Return the listener's side of TLS 1.3.

    OpenSSL reads keys from files only: they stand for a moment in a folder that nobody else may enter.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    key = Ed25519PrivateKey.from_private_bytes(transport_seed)
    with TemporaryDirectory(prefix="wildgrass-") as folder:
        path = Path(folder) / "session.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + make_certificate(transport_seed).public_bytes(Encoding.PEM)
        )
        context.load_cert_chain(path)
    return context


def dialing_context() -> ssl.SSLContext:
    """Return the dialer's side of TLS 1.3 for direct connections: the session checks the key, not OpenSSL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate_key(der: bytes) -> bytes:
    """Return the 32-byte Ed25519 key of a certificate, or raise `SessionError`; its holder proved it in TLS."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except ValueError as error:
        raise SessionError("session_certificate_mismatch", "the certificate cannot be read") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SessionError("session_certificate_mismatch", "the certificate has no Ed25519 key")
    return key.public_bytes_raw()
