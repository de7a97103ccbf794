"""The id git gives an object: SHA-1 over its kind, size and content."""

from __future__ import annotations

try:
    # The interpreter's own SHA-1: hashlib loads OpenSSL first, 4 ms that a cold command would pay.
    from _sha1 import sha1  # type: ignore[import-not-found]
except ImportError:  # an interpreter built without it
    from hashlib import sha1

__all__ = ["blob_id", "object_id", "sha1"]

# OpenSSL's is three times as fast, which pays for loading it from about here.
LARGE = 4 << 20


def object_id(kind: str, data: bytes) -> str:
    """40 hex digits. ``kind``: blob, tree, commit or tag."""
    header = b"%s %d\0" % (kind.encode(), len(data))
    if len(data) >= LARGE:
        import hashlib

        large = hashlib.sha1(header)
        large.update(data)
        return large.hexdigest()
    digest: str = sha1(header + data).hexdigest()
    return digest


def blob_id(data: bytes) -> str:
    """The id of a blob with this content."""
    return object_id("blob", data)
