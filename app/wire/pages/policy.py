"""Content Security Policy: what a proxied page may do, and what its own policy becomes.

A proxied page comes from the gateway's own address. The `sandbox` of our policy gives it an origin of its own all the
same, so that its scripts can read no other page, no cookie and no storage of this address, open no service worker, and
call the admin API only as a stranger would. The rest of the policy stops what would go past the proxy.
"""

from __future__ import annotations

import re

from app.wire.browsers import SANDBOX

OWN_POLICY = "; ".join(
    (
        SANDBOX,
        "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
"""`'self'` is the gateway (CSP 3, 6.7.2.8: the origin of the policy's URL, whatever the sandbox makes of the page)."""

_DROPPED = frozenset(
    "frame-ancestors report-uri report-to require-trusted-types-for trusted-types upgrade-insecure-requests "
    "block-all-mixed-content plugin-types navigate-to".split()
)
_SOURCES = re.compile(r"[a-z-]+-src(-elem|-attr)?|form-action|base-uri")
_STRICT = ("'nonce-", "'sha", "'strict-dynamic'")
_OURS = (*_STRICT, "'none'", "'unsafe-", "'wasm-unsafe-", "'report-sample'", "data:", "blob:")
"""Sources that mean the same here as there; all others name places, which are reached through the gateway alone."""


def adapt_policy(value: str, nonce: str) -> str:
    """The page's own policies (one field, or a `<meta>`) as they keep the page working here, our script included.

    Wherever the page may load from the net, it may load from the gateway. Who frames it and where violations are
    reported is dropped; so are inline styles by hash, as rewriting changes them.
    """
    policies = (_adapt_one(policy, nonce) for policy in value.split(","))
    return ", ".join(policy for policy in policies if policy)


def _adapt_one(policy: str, nonce: str) -> str:
    directives = []
    for words in (directive.split() for directive in policy.split(";")):
        if not words or words[0].lower() in _DROPPED:
            continue
        name, sources = words[0].lower(), words[1:]
        if _SOURCES.fullmatch(name):
            sources = _adapt_sources(name, sources, nonce)
        directives.append(" ".join([name, *sources]))
    return "; ".join(directives)


def _adapt_sources(name: str, sources: list[str], nonce: str) -> list[str]:
    kept = [source for source in sources if source.lower().startswith(_OURS)]
    if len(kept) < len(sources):
        kept.append("'self'")
    if not kept or kept == ["'none'"]:
        return ["'none'"]
    if name.startswith("style-src"):
        kept = [source for source in kept if not source.lower().startswith(_STRICT)]
        return [*kept, "'unsafe-inline'"]
    if name in ("script-src", "script-src-elem", "default-src"):
        is_strict = any(source.lower().startswith(_STRICT) for source in kept)
        if is_strict or "'unsafe-inline'" not in map(str.lower, kept):
            kept.append(f"'nonce-{nonce}'")  # our script adds an inline one: the import map
        elif "'self'" not in kept:
            kept.append("'self'")
    return kept
