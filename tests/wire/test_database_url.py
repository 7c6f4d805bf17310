"""Where a database is: URLs, and Go's form of a MySQL address."""

from __future__ import annotations

import pytest

from app.wire.database_url import DatabaseKind, DatabaseUrl, Tls, parse_database_url, url_of_go_address

MYSQL, POSTGRESQL = DatabaseKind.MYSQL, DatabaseKind.POSTGRESQL


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("sqlite:///data/x.db", DatabaseUrl(DatabaseKind.SQLITE, "data/x.db")),
        ("sqlite:////var/x%20y.db?cache=shared", DatabaseUrl(DatabaseKind.SQLITE, "/var/x y.db")),
        (
            "mysql://u:p%40%2F@db:3307/gw?tls=true&charset=utf8mb4",
            DatabaseUrl(MYSQL, "gw", "db", 3307, user="u", password="p@/", tls=Tls.VERIFIED),
        ),
        ("mysql+pymysql://db/gw", DatabaseUrl(MYSQL, "gw", "db", 3306)),
        ("mariadb://[::1]/gw?ssl-mode=DISABLED", DatabaseUrl(MYSQL, "gw", "::1", 3306, tls=Tls.OFF)),
        (
            'mysql://u:p@aws.example/gw?ssl={"rejectUnauthorized":true}',
            DatabaseUrl(MYSQL, "gw", "aws.example", 3306, user="u", password="p", tls=Tls.VERIFIED),
        ),
        ("mysql:///gw?unix_socket=/run/m.sock", DatabaseUrl(MYSQL, "gw", "", 3306, "/run/m.sock")),
        ("postgres://u@db/gw", DatabaseUrl(POSTGRESQL, "gw", "db", 5432, user="u")),
        (
            "postgresql://u@db/gw?sslmode=require&channel_binding=require&pgbouncer=true",
            DatabaseUrl(
                POSTGRESQL, "gw", "db", 5432, user="u", tls=Tls.REQUIRED, options=(("channel_binding", "require"),)
            ),
        ),
        ("postgresql:///gw?host=/run/postgresql", DatabaseUrl(POSTGRESQL, "gw", "", 5432, "/run/postgresql")),
        (
            "postgres://db/gw?sslmode=verify-full&sslrootcert=/ca.pem",
            DatabaseUrl(POSTGRESQL, "gw", "db", 5432, tls=Tls.VERIFIED, authority="/ca.pem"),
        ),
    ],
)
def test_a_url_says_which_database_is_meant(text: str, url: DatabaseUrl) -> None:
    """In the spellings of platforms, drivers and clients; what other drivers are told is passed over."""
    assert parse_database_url(text) == url


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (
            "2AbC.root:p/w:1@x@tcp(gateway01.tidb.example:4000)/test?tls=true&charset=utf8mb4&parseTime=True&loc=Local",
            DatabaseUrl(
                MYSQL, "test", "gateway01.tidb.example", 4000, user="2AbC.root", password="p/w:1@x", tls=Tls.VERIFIED
            ),
        ),
        ("u:p@tcp(db)/gw?tls=tidb", DatabaseUrl(MYSQL, "gw", "db", 3306, user="u", password="p", tls=Tls.VERIFIED)),
        ("u@tcp([::1]:3307)/gw?tls=skip-verify", DatabaseUrl(MYSQL, "gw", "::1", 3307, user="u", tls=Tls.REQUIRED)),
        ("u:p@unix(/run/m.sock)/gw", DatabaseUrl(MYSQL, "gw", "", 3306, "/run/m.sock", user="u", password="p")),
        ("u:p@/gw?tls=false", DatabaseUrl(MYSQL, "gw", "127.0.0.1", 3306, user="u", password="p", tls=Tls.OFF)),
        ("mysql://u:p@db/gw", DatabaseUrl(MYSQL, "gw", "db", 3306, user="u", password="p")),
    ],
)
def test_gos_addresses_are_understood(address: str, url: DatabaseUrl) -> None:
    """A password there stands as it is: the last '/' and the last '@' before it count."""
    assert parse_database_url(url_of_go_address(address)) == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("redis://db/gw", "must start with mysql://"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("mysql://secret@db:x/gw", "host or port"),
        ("mysql://u:sec/ret@db/gw", "%2F"),
        ("mysql://u:secret@db", "must name a database"),
        ("mysql://u:secret@db/gw?charset=latin1", "utf8mb4"),
        ("mysql://u:secret@db/gw?tls=custom", "tls must be true"),
    ],
)
def test_what_is_no_database_is_refused_without_repeating_a_password(text: str, says: str) -> None:
    """The sentence says what would do."""
    with pytest.raises(ValueError, match=says) as refusal:
        parse_database_url(text)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("text", ["no address", "u:secret@db:3306/gw", "u:secret@tcp(db/gw", "u:secret@tcp(db)/"])
def test_what_is_no_address_of_gos_is_refused(text: str) -> None:
    """Likewise."""
    with pytest.raises(ValueError, match="must") as refusal:
        url_of_go_address(text)
    assert "secret" not in str(refusal.value)


def test_a_database_is_shown_without_its_password() -> None:
    """Neither in words for people nor in those for developers."""
    url = parse_database_url("mysql://team:secret@[::1]/gw")
    assert str(url) == "MySQL team@[::1]:3306/gw"
    assert "secret" not in repr(url)
