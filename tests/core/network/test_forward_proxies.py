"""Which proxy leads to an upstream, by the variables that everybody knows."""

from __future__ import annotations

import pytest

from app.config import ConfigError, load_config
from app.core.network.forward_proxies import ForwardProxies, parse_forward_proxies

PROXY = "http://proxy.example:3128"


def proxy_for(variables: dict[str, str], url: str) -> str:
    """The proxy for a URL that names its port; empty for none."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    way = parse_forward_proxies(variables).way_to(scheme, host.strip("[]"), int(port))
    return str(way.proxy) if way else ""


@pytest.mark.parametrize(
    ("variables", "https", "http"),
    [
        ({}, "", ""),
        ({"HTTPS_PROXY": "http://a:1"}, "http://a:1", ""),
        ({"HTTP_PROXY": "http://a:1"}, "", "http://a:1"),
        ({"ALL_PROXY": "socks5h://a:1"}, "socks5h://a:1", "socks5h://a:1"),
        ({"ALL_PROXY": "http://a:1", "HTTPS_PROXY": "http://b:2"}, "http://b:2", "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2"}, "http://b:2", ""),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": ""}, "http://a:1", ""),
        ({"all_proxy": "http://a:1", "NO_PROXY": "*"}, "", ""),
        ({"ALL_PROXY": "proxy.example:3128"}, PROXY, PROXY),
        ({"ALL_PROXY": "https://a"}, "https://a:443", "https://a:443"),
        ({"ALL_PROXY": "socks5://[::1]"}, "socks5://[::1]:1080", "socks5://[::1]:1080"),
        ({"ALL_PROXY": "http://u:p%40@a/"}, "http://a:80", "http://a:80"),
    ],
)
def test_the_scheme_of_the_upstream_chooses_the_variable(variables: dict[str, str], https: str, http: str) -> None:
    """HTTPS_PROXY leads to https://, HTTP_PROXY to http://, ALL_PROXY to the rest; the lower case goes first."""
    assert proxy_for(variables, "https://x.example:443") == https
    assert proxy_for(variables, "http://x.example:80") == http


@pytest.mark.parametrize(
    ("no_proxy", "direct", "proxied"),
    [
        ("corp.example", ["corp.example:443", "a.corp.example:443"], ["notcorp.example:443", "example:443"]),
        (".corp.example", ["a.corp.example:443"], ["corp.example:443"]),
        ("*.corp.example", ["a.b.corp.example:443"], ["corp.example:443"]),
        ("CORP.example., 10.0.0.1", ["corp.example:1", "10.0.0.1:1"], ["10.0.0.2:1"]),
        ("a.example b.example", ["a.example:1", "b.example:1"], ["c.example:1"]),
        ("corp.example:8443", ["corp.example:8443"], ["corp.example:443"]),
        ("10.0.0.0/8,fd00::/8", ["10.9.9.9:443", "[fd00::1]:443"], ["11.0.0.1:443", "[fe00::1]:443", "a.example:443"]),
        ("10.0.0.1:81,[fd00::1]:82", ["10.0.0.1:81", "[fd00::1]:82"], ["10.0.0.1:82", "[fd00::1]:81"]),
        ("bücher.example", ["xn--bcher-kva.example:1"], ["example:1"]),
        ("", ["localhost:1", "a.localhost:1", "127.0.0.2:1", "[::1]:1", "localhost.:1"], ["10.0.0.1:1"]),
    ],
)
def test_no_proxy_names_what_is_reached_directly(no_proxy: str, direct: list[str], proxied: list[str]) -> None:
    """NO_PROXY holds names with all below them, addresses, networks and ports; loopback is always direct."""
    variables = {"ALL_PROXY": PROXY, "NO_PROXY": no_proxy}
    assert [place for place in direct if proxy_for(variables, f"https://{place}")] == []
    assert [place for place in proxied if not proxy_for(variables, f"https://{place}")] == []


def test_what_no_proxy_cannot_mean_is_told_and_stops_nothing() -> None:
    """An entry that other programs may understand is passed over and told, and the others hold."""
    proxies = parse_forward_proxies({"ALL_PROXY": PROXY, "NO_PROXY": "192.168.*, 169.254/16,x.example:http,ok.example"})
    assert proxies.ignored == ("192.168.*", "169.254/16", "x.example:http")
    assert proxies.way_to("https", "ok.example", 443) is None
    for entry, proxy in [("169.254/16", {"ALL_PROXY": PROXY}), ("###", {})]:
        [doubt] = load_config({"NO_PROXY": entry} | proxy).doubts
        assert doubt == f"NO_PROXY: '{entry}' is no name, address or CIDR, and is passed over"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("ftp://a:1", "must start with http://"),
        ("socks4://a:1", "must start with http://"),
        ("http://u:s3cret@a:port", "host or port"),
        ("http://u:s3/cret@a:1", "host or port"),
        ("http://u:s3cret@a:1/path", "must end after host and port"),
        ("http://u:s3cret@", "host or port"),
        ("http://u:" + "s3cret" * 50 + "@a:1", "at most 255"),
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_bad_proxy_stops_the_start_and_shows_no_password(name: str, value: str, says: str) -> None:
    """A proxy that cannot be one is a ConfigError that names the variable, says what would do and hides the value."""
    with pytest.raises(ConfigError, match=f"^{name}: .*{says}") as caught:
        load_config({name: value})
    assert "s3" not in str(caught.value)


def test_credentials_show_nowhere() -> None:
    """Neither the text nor the repr of the configuration holds a proxy's user name or password."""
    config = load_config({"HTTPS_PROXY": "http://us3r:s3cret@a:1", "HTTP_PROXY": "socks5://us3r:s3cret@b"})
    assert str(config.forward_proxies) == "http://a:1 for https://, socks5://b:1080 for http://"
    assert "s3" not in repr(config) + repr(config.forward_proxies.https)
    assert config.forward_proxies.https is not None
    assert (config.forward_proxies.https.username, config.forward_proxies.https.password) == ("us3r", "s3cret")


def test_only_http_through_an_http_proxy_needs_no_tunnel() -> None:
    """An HTTP proxy is asked for http:// URLs; TLS, a switch of protocols and SOCKS are tunnelled."""
    http = parse_forward_proxies({"ALL_PROXY": PROXY})
    socks = parse_forward_proxies({"ALL_PROXY": "socks5://a"})

    def tunnels(proxies: ForwardProxies, scheme: str, *, switches: bool = False) -> bool:
        way = proxies.way_to(scheme, "x.example", 80, switches=switches)
        assert way is not None
        return way.tunnels

    assert not tunnels(http, "http")
    assert tunnels(http, "https")
    assert tunnels(http, "http", switches=True)
    assert tunnels(socks, "http")
