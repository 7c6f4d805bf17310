"""What a browser would make of an answer that comes from the gateway's own address.

Mapped upstreams answer at the origin of the admin page. What they send must not act there as the admin: a document
gets an origin of its own, none speaks for the whole origin, and no upstream sets a cookie of ours. Programs get what
they always got.
"""

from __future__ import annotations

import re
from typing import Final

from app.wire.http.headers import Headers, has_any, lower

SANDBOX: Final = (
    "sandbox allow-downloads allow-forms allow-modals allow-orientation-lock allow-pointer-lock allow-popups "
    "allow-presentation allow-scripts allow-top-navigation-by-user-activation"
)
"""Without `allow-same-origin`: the document's scripts read no cookie and no storage of ours, open no service worker
and call the admin API only as a stranger would. Windows that it opens inherit this."""

OWN_COOKIES_BEGIN: Final = "api_proxy_"
"""Names of all our cookies begin so, and of nobody else's."""

FOR_AN_ORIGIN: Final = frozenset(
    "accept-ch alt-svc clear-site-data critical-ch expect-ct nel public-key-pins report-to sec-session-registration "
    "secure-session-registration service-worker-allowed set-login shared-storage-write strict-transport-security "
    "use-as-dictionary".split()
)
"""Names in lower case of fields that a browser keeps, or follows, for the origin or host they came from, in whatever
answer. Of ours they would end the admin's session (Clear-Site-Data), close it over http (RFC 6797), send others there
(RFC 7838), or report to the upstream what its pages ask for (NEL, Report-To).

Those that speak for one document stay, for it has an origin of its own: Origin-Agent-Cluster, Reporting-Endpoints,
Permissions-Policy, the Cross-Origin- ones. Where browsers send no `Sec-Fetch-Dest`, in plain http from elsewhere, they
follow none of all these either, for they want a secure origin.
"""

_OF_WHAT_IS_KEPT: Final = FOR_AN_ORIGIN | {"content-security-policy", "content-type"}
"""Fields that a 304 must not bring: the browser puts those of a 304 in the place of those of the answer that it keeps
(RFC 9111, 3.2), the sandbox among them. A document keeps the policy that came with it, whose nonces it bears, too.
"""

_INERT: Final = frozenset(
    "application/javascript application/json application/octet-stream application/pdf application/wasm text/css "
    "text/event-stream text/javascript text/plain".split()
)
_INERT_KINDS: Final = re.compile(r"(?:audio|font|image|video)/[!#$%&'*+.^_`|~0-9a-z-]+")
"""Types that no browser runs as a document or takes for another that it would (https://mimesniff.spec.whatwg.org/).

What is no type, such as `image/`, says nothing to them: they look into the body (4.4 and 7 there).
"""

_WITHOUT_BODY: Final = frozenset({101, 204, 304})


def is_from_browser(sec_fetch_dest: str | None, accept: str | None, origin: str | None, user_agent: str | None) -> bool:
    """Whether the answer may become a document, at once or later out of the browser's cache.

    Browsers say `Sec-Fetch-Dest` where the gateway is reached by https or as localhost. Elsewhere, and from older
    ones, a navigation or a frame is known by the `text/html` that it accepts. What a script fetches there is shown
    out of the cache when the same site then goes to that address: a script of another origin cannot hide its `Origin`,
    and what loads without one bears the name that all browsers have.
    """
    return (
        sec_fetch_dest is not None
        or (accept is not None and "text/html" in accept)
        or origin is not None
        or (user_agent is not None and user_agent.startswith("Mozilla/"))
    )


def confine(fields: Headers, status: int) -> None:
    """Adds the sandbox to an answer that a browser may run, and takes out what is FOR_AN_ORIGIN.

    A policy of the upstream stays; both hold (CSP 3, 4.1). Only a 304 brings none.
    """
    unwanted = _OF_WHAT_IS_KEPT if status == 304 else FOR_AN_ORIGIN
    if has_any(fields, unwanted):
        fields[:] = [field for field in fields if lower(field[0]) not in unwanted]
    if status not in _WITHOUT_BODY and not _is_inert(fields):
        fields.append(("Content-Security-Policy", SANDBOX))


def without_own_cookies(fields: Headers) -> Headers:
    """The answer's fields without any `Set-Cookie` that a browser would bring back as one of our cookies."""
    return [field for field in fields if lower(field[0]) != "set-cookie" or not _is_own_cookie(field[1])]


def _is_inert(fields: Headers) -> bool:
    """Of several types browsers take one or another; without any they look into the body."""
    said = ",".join([value for name, value in fields if lower(name) == "content-type"])
    return all(_is_inert_type(kind.partition(";")[0].strip(" \t").lower()) for kind in said.split(","))


def _is_inert_type(media_type: str) -> bool:
    return media_type in _INERT or (_INERT_KINDS.fullmatch(media_type) is not None and "xml" not in media_type)


def _is_own_cookie(value: str) -> bool:
    """A cookie without a name comes back as its value alone, which then reads as `name=value` (RFC 6265bis, 5.8.3)."""
    return value.lstrip(" \t=").lower().startswith(OWN_COOKIES_BEGIN)
