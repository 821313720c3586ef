"""RFC 9180 base mode for this project's one suite, written out from its text: the second implementation.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305; only the standard library, X25519 and the cipher.
"""

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")
HPKE_SUITE = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0003))


def public_of(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def exchange(private, public):
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def extract(suite, salt, label, keying):
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + keying, sha256)


def expand(suite, key, label, context, length):
    block = hmac.digest(
        key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context + b"\x01", sha256
    )
    return block[:length]


def key_and_nonce(shared_point, encapsulated, recipient_public, info):
    context = encapsulated + recipient_public
    secret = expand(
        KEM_SUITE, extract(KEM_SUITE, b"", b"eae_prk", shared_point), b"shared_secret", context, 32
    )
    schedule = b"\x00" + b"".join(
        extract(HPKE_SUITE, b"", label, keying)
        for label, keying in ((b"psk_id_hash", b""), (b"info_hash", info))
    )
    base = extract(HPKE_SUITE, secret, b"secret", b"")
    return expand(HPKE_SUITE, base, b"key", schedule, 32), expand(
        HPKE_SUITE, base, b"base_nonce", schedule, 12
    )


def seal_to(recipient_public, info, plaintext, *, ephemeral, aad=b""):
    encapsulated = public_of(ephemeral)
    shared_point = exchange(ephemeral, recipient_public)
    key, nonce = key_and_nonce(shared_point, encapsulated, recipient_public, info)
    return encapsulated + ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)


def open_with(recipient, info, wrapped):
    encapsulated, ciphertext = wrapped[:32], wrapped[32:]
    shared_point = exchange(recipient, encapsulated)
    key, nonce = key_and_nonce(shared_point, encapsulated, public_of(recipient), info)
    return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, b"")
