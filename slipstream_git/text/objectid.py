"""The id git gives an object: SHA-1 over its kind, size and content."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

try:
    # The interpreter's own SHA-1: hashlib loads OpenSSL first, 4 ms that a cold command would pay.
    from _sha1 import sha1  # type: ignore[import-not-found]
except ImportError:  # an interpreter built without it
    from hashlib import sha1
try:
    from _sha256 import sha256  # type: ignore[import-not-found]
except ImportError:
    try:  # where it is from 3.12 on
        from _sha2 import sha256  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import sha256

__all__ = ["blob_id", "digest", "is_id", "object_id", "prefer_openssl", "sha1", "sha256"]

# OpenSSL's is three times as fast, which pays for loading it from about here.
LARGE = 4 << 20


def is_id(text: str) -> bool:
    """Whether this is 40 lower-case hex digits."""
    return len(text) == 40 and not text.strip("0123456789abcdef")


def object_id(kind: str, data: bytes) -> str:
    """40 hex digits. ``kind``: blob, tree, commit or tag."""
    return digest(b"%s %d\0" % (kind.encode(), len(data)), data).hex()


def digest(*parts: bytes | memoryview) -> bytes:
    """The 20 bytes of SHA-1 over all parts."""
    hashed = _openssl() if _pays(parts) else sha1()
    for part in parts:
        hashed.update(part)
    found: bytes = hashed.digest()
    return found


def prefer_openssl() -> None:
    """Hash with OpenSSL's from now on: for a process that lives on."""
    _openssl()


def _pays(parts: Sequence[bytes | memoryview]) -> bool:
    """Whether OpenSSL's is worth it: loaded already, or for much to hash."""
    return "hashlib" in sys.modules or sum(map(len, parts)) >= LARGE


def _openssl() -> Any:  # noqa: ANN401  (hashlib names no public type)
    import hashlib

    return hashlib.sha1(usedforsecurity=False)


def blob_id(data: bytes) -> str:
    """The id of a blob with this content."""
    return object_id("blob", data)
