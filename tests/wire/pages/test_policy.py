"""What a page's own Content Security Policy becomes."""

from __future__ import annotations

import pytest

from app.wire.pages.policy import adapt_policy

ADAPTED = {
    "default-src 'self'": "default-src 'self' 'nonce-N'",
    "default-src 'none'": "default-src 'none'",
    "default-src *": "default-src 'self' 'nonce-N'",
    "script-src data:": "script-src data: 'nonce-N'",
    "script-src * 'Unsafe-Inline'": "script-src 'Unsafe-Inline' 'self'",
    "default-src": "default-src 'none'",
    "img-src https://cdn.example data: *.example.org": "img-src data: 'self'",
    "script-src 'self' 'unsafe-inline'": "script-src 'unsafe-inline' 'self'",
    "script-src 'unsafe-inline'": "script-src 'unsafe-inline' 'self'",
    "script-src 'nonce-abc' 'strict-dynamic' https:": "script-src 'nonce-abc' 'strict-dynamic' 'self' 'nonce-N'",
    "script-src 'sha256-xyz='": "script-src 'sha256-xyz=' 'nonce-N'",
    "style-src 'self' 'sha256-xyz=' 'nonce-abc'": "style-src 'self' 'unsafe-inline'",
    "frame-ancestors 'none'; report-uri /r; report-to g; upgrade-insecure-requests": "",
    "require-trusted-types-for 'script'; trusted-types a": "",
    "IMG-SRC https://a.example; sandbox allow-scripts": "img-src 'self'; sandbox allow-scripts",
    "img-src 'none', font-src https://f.example; form-action https://x.example": (
        "img-src 'none', font-src 'self'; form-action 'self'"
    ),
    "  ;; ,": "",
}


@pytest.mark.parametrize("policy", ADAPTED)
def test_a_policy_lets_the_page_load_through_the_gateway_only(policy: str) -> None:
    """Every place becomes the gateway, our script may run, and what speaks of frames and reports is gone."""
    assert adapt_policy(policy, "N") == ADAPTED[policy]
