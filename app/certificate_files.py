"""The files that say whose certificates are trusted, judged when the gateway starts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """All are optional, and of certificates in PEM form."""

    file: Path | None = None
    """`SSL_CERT_FILE`: in place of the file of the system's store, as OpenSSL has it."""
    folders: tuple[Path, ...] = ()
    """`SSL_CERT_DIR`: in place of the directory of the system's store; several, as PATH has them."""
    bundle: Path | None = None
    """`REQUESTS_CA_BUNDLE`: a file or directory in place of the whole store, as requests has it."""
    added: Path | None = None
    """`CA_FILE`: trusted besides all others."""


def certificate_file(path: Path) -> Path:
    """The path of a file that holds certificates. Raises ValueError."""
    import ssl  # here, for most deployments name none, and supervisor and master do without it

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError("the file holds no certificate in PEM form, or a damaged one") from None
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    return path


def certificate_folder(path: Path) -> Path:
    """The path of a directory that can be read. What stands in it OpenSSL finds by itself. Raises ValueError."""
    try:
        next(path.iterdir(), None)
    except OSError as error:
        raise ValueError(f"the directory {path} cannot be read: {error.strerror}") from None
    return path


def certificate_bundle(path: Path) -> Path:
    """Either of both. Raises ValueError."""
    return certificate_folder(path) if os.path.isdir(path) else certificate_file(path)
