"""Cookies of proxied sites, which all live under the gateway's own name in the browser.

A site's cookie bears the site's tag in its name, so that nothing but the site's own cookies is ever sent to it, and a
path below the site's proxied address, so that the browser brings it only there.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from app.wire.pages.address import WebAddress


def cookies_for(site: WebAddress, cookie_fields: Iterable[str]) -> str:
    """The value of `Cookie` for the site; empty when the browser has none of its cookies."""
    tag = _tag(site)
    pairs = (pair.strip(" \t") for field in cookie_fields for pair in field.split(";"))
    # A cookie without a name is its value alone (RFC 6265bis, 5.8.3).
    return "; ".join(pair[len(tag) :].removeprefix("=") for pair in pairs if pair.startswith(tag))


def cookie_from(site: WebAddress, prefix: str, value: str, *, secure: bool) -> str | None:
    """A `Set-Cookie` of the site as the browser is given it; None for one that a browser would refuse.

    `prefix` is where proxied addresses begin; `secure` says whether the browser speaks TLS to the gateway.
    `SameSite=Strict` becomes `Lax`: a proxied page has an origin of its own (see `policy`), so its links, too, come
    from another site. What TLS alone permits (`Secure`, `SameSite=None`, `Partitioned`) is left out without it.
    What is not known here is left out, too: a priority, say, would cost the gateway's own cookies their place.
    """
    pair, *attributes = [part.strip(" \t") for part in value.split(";")]
    name, equals, content = pair.partition("=")
    if not equals:
        name, content = "", pair
    kept = [f"{_tag(site)}{name.strip()}={content.strip()}"]
    for attribute in attributes:
        key, _, setting = (part.strip(" \t") for part in attribute.partition("="))
        match key.lower():
            case "domain":
                if not _is_own_domain(setting, site.host):
                    return None
            case "path":
                if setting.startswith("/"):
                    kept.append(f"Path={prefix}{site.origin}{setting}")
            case "samesite":
                setting = "Lax" if setting.lower() == "strict" else setting
                if secure or setting.lower() != "none":
                    kept.append(f"SameSite={setting}")
            case "secure" | "partitioned":
                if secure:
                    kept.append(attribute)
            case "expires" | "max-age" | "httponly":
                kept.append(attribute)
    return "; ".join(kept)


def _tag(site: WebAddress) -> str:
    return f"~{sha256(site.origin.encode()).hexdigest()[:12]}~"


def _is_own_domain(domain: str, host: str) -> bool:
    """RFC 6265, 5.3.6: a server may set cookies for its own name and for those above it; an empty one says nothing."""
    domain = domain.lower().removeprefix(".")
    return not domain or host == domain or host.endswith(f".{domain}")
