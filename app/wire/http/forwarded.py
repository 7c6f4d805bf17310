"""What hops before us say: of the client, which we read, and of us, which is no upstream's business.

Of `X-Forwarded-For`, `-Proto` and `-Host` each proxy adds what it saw on the right of the list, so the n-th
member from the right is the word of the outermost of n trusted proxies, and all that stands left of it anybody may have
written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

_WITH_PORT = re.compile(r"([0-9.]+|\[[^][]+\]):\d{1,5}")
"""`203.0.113.9:50001`, as Azure's gateways write it, and `[2001:db8::1]:50001`."""
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")

_OF_A_HOP: Final = frozenset(
    # Cloudflare, Akamai, Fastly, CloudFront, Imperva, Sucuri, Alibaba
    "cdn-loop true-client-ip akamai-origin-hop x-akamai-edgescape fastly-client fastly-client-ip fastly-ff fastly-ssl "
    "x-amz-cf-id incap-client-ip x-sucuri-clientip x-sucuri-country ali-cdn-real-ip "
    # the load balancers of AWS and Azure, and Azure's Front Door and App Service
    "x-amzn-trace-id x-amzn-tls-cipher-suite x-amzn-tls-version x-azure-clientip x-azure-fdid x-azure-ref "
    "x-azure-requestchain x-azure-socketip x-appgw-trace-id client-ip disguised-host was-default-hostname "
    "x-client-port x-site-deployment-id x-waws-unencoded-url "
    # Heroku, Render, DigitalOcean, Hugging Face, Google's Identity-Aware Proxy
    "connect-time total-route-time x-request-start rndr-id do-connecting-ip x-ip-token x-goog-iap-jwt-assertion "
    "x-goog-authenticated-user-email x-goog-authenticated-user-id".split()
)
_OF_A_HOP_BEGIN: Final = (
    "cf-", "cloudfront-", "fly-", "x-amzn-mtls-", "x-amzn-oidc-", "x-appengine-", "x-arr-", "x-envoy-", "x-heroku-",
    "x-ms-client-principal", "x-nf-", "x-railway-", "x-vercel-",
)  # fmt: skip
_OF_CLIENTS_BEGIN: Final = (
    "cf-access-client-", "cf-access-token", "cf-aig-", "fly-force-", "fly-prefer-", "x-vercel-protection-bypass",
    "x-vercel-set-bypass",
)  # fmt: skip
"""What clients send to upstreams at such a place, keys of Cloudflare's AI Gateway and Access among them."""

_FORWARDED: Final = frozenset(
    "forwarded via front-end-https x-client-ip x-cluster-client-ip x-original-forwarded-for x-original-host x-real-ip "
    "x-scheme x-url-scheme x-varnish".split()
)


def is_of_a_hop(name: str) -> bool:
    """True for a field (in lower case) that only a CDN or a platform's router adds: who its client is, where it ran.

    Upstreams behind such a CDN themselves refuse requests that bear its fields.
    """
    return name in _OF_A_HOP or (name.startswith(_OF_A_HOP_BEGIN) and not name.startswith(_OF_CLIENTS_BEGIN))


def is_forwarded(name: str) -> bool:
    """True for a field (in lower case) that any reverse proxy may add, and a client too, such as a proxy of its own."""
    return name in _FORWARDED or name.startswith("x-forwarded-")


def client_of(peer: str, forwarded_for: str, proxies: int) -> str:
    """The client's address behind so many trusted proxies, in its canonical spelling.

    `peer` is where the connection came from, `forwarded_for` all fields joined by commas. Where the member that counts
    is missing or no address, the last trustworthy hop is taken: the next to its right that is one, at last `peer`.
    """
    return _trusted(forwarded_for, proxies, _address) or peer


def scheme_of(scheme: str, forwarded_proto: str, proxies: int) -> str:
    """What the client speaks to the outermost of so many trusted proxies, `http` or `https`; by the same rule."""
    return _trusted(forwarded_proto, proxies, _scheme) or scheme


def host_of(host: str, forwarded_host: str, proxies: int) -> str:
    """The authority by which the client calls the outermost of so many trusted proxies; by the same rule."""
    return _trusted(forwarded_host, proxies, _authority) or host


def _trusted(listed: str, proxies: int, read: Callable[[str], str]) -> str:
    members = listed.split(",")[-proxies:]
    return next(filter(None, map(read, members)), "")


def _address(member: str) -> str:
    """The address of a list's member without blanks, quotes, brackets, zone and port; empty when it is none."""
    text = member.strip(" \t").strip('"')
    with_port = _WITH_PORT.fullmatch(text)
    if with_port:
        text = with_port[1]
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return str((address.version == 6 and address.ipv4_mapped) or address)


def _authority(member: str) -> str:
    authority = member.strip(" \t")
    return authority if _AUTHORITY.fullmatch(authority) else ""


def _scheme(member: str) -> str:
    scheme = member.strip(" \t").lower()
    return scheme if scheme in ("http", "https") else ""
