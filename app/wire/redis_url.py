"""What a Redis URL may say: redis://user:password@host:port/number, rediss:// over TLS, unix://path?db=number.

Options that stand in its query would go over what the gateway needs, such as replies as bytes, or stop it later with
an error that names none of them. So only those pass that say who we are and whom we trust.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

SCHEMES = ("redis", "rediss", "unix")
OPTIONS = frozenset({"db", "username", "password", "client_name"})
TLS_OPTIONS = frozenset(
    {
        *("ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_ca_path"),
        *("ssl_certfile", "ssl_keyfile", "ssl_password"),
    }
)
_CHOICES = {
    "ssl_cert_reqs": ("none", "optional", "required"),
    "ssl_check_hostname": ("true", "false"),
}


def check_redis_url(text: str) -> str:
    """The URL itself. Raises ValueError that says what is wrong, and never repeats what may be a password."""
    scheme = text.partition("://")[0]
    if scheme not in SCHEMES or not text.startswith(f"{scheme}://"):
        raise ValueError("must start with redis://, rediss:// or unix://")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:  # its own text would repeat a part of what may be a password
        raise ValueError("its port is no number; a '/', '#' or '?' in the password is written %2F, %23, %3F") from None
    if scheme != "unix" and parts.path.strip("/") and not _is_number(parts.path.strip("/")):
        raise ValueError("its path must be the number of a database, as in redis://host:6379/0")
    for name, values in parse_qs(parts.query, keep_blank_values=True).items():
        _check_option(scheme, name, values[-1])
    return text


def _check_option(scheme: str, name: str, value: str) -> None:
    known = OPTIONS | TLS_OPTIONS if scheme == "rediss" else OPTIONS
    if name in TLS_OPTIONS - known:
        raise ValueError(f"its option {name} holds with rediss:// only")
    if name not in known:
        shown = name if name.isidentifier() and len(name) <= 40 else "after the '?'"  # or it is the end of a password
        raise ValueError(
            f"its option {shown} is none that may be set here; those are {', '.join(sorted(known))} "
            "(a '?' in the password is written %3F)"
        )
    if name == "db" and not _is_number(value):
        raise ValueError("its option db must be the number of a database")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"its option {name} must be one of {', '.join(_CHOICES[name])}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
