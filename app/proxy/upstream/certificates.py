"""Whose certificates are trusted, and what is wrong with one that is not. Certificates are always checked."""

from __future__ import annotations

import re
import ssl
from itertools import count
from pathlib import Path

import certifi
from gevent.ssl import SSLContext

from app.certificate_files import CertificateFiles

_HASHED_NAME = re.compile(r"([0-9a-f]{8})\.[0-9]+")
_CERTIFICATE = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+")
_TRUST_IT = "the operator can trust it with CA_FILE"

# https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
_EXPIRED, _NOT_YET_VALID, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
_SELF_SIGNED, _SELF_SIGNED_ISSUER, _UNKNOWN_ISSUER = 18, 19, (2, 20, 21)


def verifying_context(files: CertificateFiles = CertificateFiles()) -> SSLContext:  # noqa: B008 - frozen
    """A context for connections to upstreams and proxies. Raises OSError for a file that cannot be read."""
    context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
    context.set_alpn_protocols(["http/1.1"])
    # Pythons before 3.11.3 set it: an answer that was cut off would look whole (https://github.com/python/cpython/issues/95494).
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    # What the operator names is trusted itself, also if it is no root: an intermediate, or the server's own.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if files.bundle is not None:
        _trust(context, files.bundle)
    else:
        _trust_system(context, files)
    if files.added is not None:
        _trust(context, files.added)
    return context


def _trust(context: SSLContext, path: Path) -> None:
    if path.is_dir():
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(cafile=path)


def _trust_system(context: SSLContext, files: CertificateFiles) -> None:
    """The store that OpenSSL was built for; where that is empty (python.org's Python on macOS), certifi's.

    From a folder OpenSSL takes a certificate when it needs it. A file is held whole, 1.3 MB of the usual one: so not
    where all that it holds stands in a folder, too, as on Debian.
    """
    usual = ssl.get_default_verify_paths()
    file = files.file or Path(usual.openssl_cafile)
    found = set[bytes]()
    for folder in filter(Path.is_dir, files.folders or (Path(usual.openssl_capath),)):
        _trust(context, folder)
        found |= _found_by_name(folder)
    if file.is_file() and not _certificates(file) <= found:
        _trust(context, file)
    if not found and not context.cert_store_stats()["x509"]:
        _trust(context, Path(certifi.where()))


def _found_by_name(folder: Path) -> set[bytes]:
    """The certificates that OpenSSL finds in a folder, as `openssl rehash` names them: by a hash, and a number.

    It reads none beyond a gap in the numbers, and in a file it looks for one certificate.
    """
    found = set[bytes]()
    try:
        hashes = {name[1] for entry in folder.iterdir() if (name := _HASHED_NAME.fullmatch(entry.name))}
    except OSError:
        return found  # it may be searched, but not listed
    for hashed in hashes:
        for number in count():
            held = _certificates(folder / f"{hashed}.{number}")
            if len(held) != 1:
                break
            found |= held
    return found


def _certificates(file: Path) -> set[bytes]:
    """Those of a file in PEM form, as they are written there; none where it cannot be read."""
    try:
        return set(_CERTIFICATE.findall(file.read_bytes()))
    except OSError:
        return set()


def handshake_fault(error: OSError) -> str:
    """Why a TLS handshake failed, and what to do, as a clause about the server."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_fault(error)
    reason = getattr(error, "reason", None) or ""
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "it does not speak TLS at this port; should its URL begin with http://?"
    if isinstance(error, ssl.SSLEOFError | ConnectionError) or reason == "UNEXPECTED_EOF_WHILE_READING":
        return "it broke off the TLS handshake"
    return f"the TLS handshake failed: {reason.replace('_', ' ').lower() or error.strerror or error}"


def broken_off_because(error: OSError) -> str:
    """Why a connection broke, as a clause about the server. With TLS 1.3 it judges its client after the handshake."""
    if getattr(error, "reason", None) == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        return "it wants a certificate of whoever calls it, and the gateway has none to show"
    return str(error)


def _certificate_fault(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return "its certificate has expired; whoever runs it must renew it (or the clock here is wrong)"
    if code == _NOT_YET_VALID:
        return "its certificate is not valid yet (or the clock here is wrong)"
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        return "its certificate is for another name; the URL must hold a name that stands in the certificate"
    if code == _SELF_SIGNED:
        return f"its certificate is self-signed; if it is the right one, {_TRUST_IT}"
    if code == _SELF_SIGNED_ISSUER:
        text = "its certificate goes back to an authority that is not trusted here (a private one, or a device that "
        return f"{text}opens TLS on the way); if it is the right one, {_TRUST_IT}"
    if code in _UNKNOWN_ISSUER:
        text = "the issuer of its certificate is unknown here; if it is a private one,"
        return f"{text} {_TRUST_IT}; if not, the server fails to send its intermediate certificates"
    return f"its certificate is not accepted: {error.verify_message}"
