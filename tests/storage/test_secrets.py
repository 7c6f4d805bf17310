"""Secrets are sealed by the first encryption key, opened by all, and only where they belong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.storage.secrets import PREFIX, CannotOpen, Secrets, id_of

OLD, NEW = "an old key of the operator", "a new key of the operator"
SECRET = "sk-proj-0123456789abcdefghijklmnopqrstuvwxyz"


def secrets(*keys: str) -> Secrets:
    return Secrets(keys, rounds=1)


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    ours = secrets(NEW)
    sealed = ours.seal(SECRET, "1")
    assert ours.open(sealed, "1") == SECRET
    assert sealed.isascii()
    assert sealed.isprintable()
    assert SECRET[:8] not in sealed
    assert ours.seal(SECRET, "1") != sealed, "nobody sees that two secrets are the same"
    assert SECRET not in repr(ours)
    assert NEW not in repr(ours._keys)


def test_another_process_with_the_same_key_opens_it() -> None:
    assert secrets(NEW).open(secrets(NEW).seal(SECRET, "1"), "1") == SECRET
    assert secrets(NEW).digest(SECRET) == secrets(NEW).digest(SECRET)


def test_without_a_key_secrets_pass_as_they_are() -> None:
    plain = secrets()
    assert not plain.encrypts
    assert plain.seal(SECRET, "1") == plain.open(SECRET, "1") == SECRET
    assert plain.is_current(SECRET)
    assert plain.opens(SECRET)


def test_plain_secrets_from_before_are_read() -> None:
    ours = secrets(NEW)
    assert ours.open(SECRET, "1") == SECRET
    assert ours.opens(SECRET)
    assert not ours.is_current(SECRET)


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    old, both = secrets(OLD), secrets(NEW, OLD)
    sealed = old.seal(SECRET, "1")
    assert both.open(sealed, "1") == SECRET
    assert not both.is_current(sealed)
    again = both.seal(SECRET, "1")
    assert both.is_current(again)
    assert secrets(NEW).open(again, "1") == SECRET
    assert not old.opens(again)


def test_off_decrypts_and_encrypts_nothing() -> None:
    off = secrets("", OLD)
    assert not off.encrypts
    assert off.seal(SECRET, "1") == SECRET
    assert off.open(secrets(OLD).seal(SECRET, "1"), "1") == SECRET


def test_what_nobody_opens_is_told_and_shows_nothing() -> None:
    sealed = secrets(OLD).seal(SECRET, "1")
    for others in (secrets(), secrets(NEW)):
        assert not others.opens(sealed)
        with pytest.raises(CannotOpen, match="not in ENCRYPTION_KEY"):
            others.open(sealed, "1")


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda sealed: sealed[:-5] + ("A" if sealed[-5] != "A" else "B") + sealed[-4:],
        lambda sealed: sealed[:30],
        lambda sealed: sealed[: len(PREFIX) + 8],
        lambda sealed: sealed[:30] + "\u00e4" + sealed[31:],
        lambda sealed: sealed[:40] + "=" + sealed[41:],
    ],
)
def test_what_was_tampered_with_does_not_open(spoiled) -> None:  # type: ignore[no-untyped-def]
    ours = secrets(NEW)
    with pytest.raises(CannotOpen, match="damaged"):
        ours.open(spoiled(ours.seal(SECRET, "1")), "1")


def test_what_belongs_to_one_channel_opens_in_no_other() -> None:
    ours = secrets(NEW)
    with pytest.raises(CannotOpen, match="where it does not belong"):
        ours.open(ours.seal(SECRET, "1"), "2")


def test_digests_find_what_was_stored_before_the_key_changed() -> None:
    plain, old, both, off = secrets(), secrets(OLD), secrets(NEW, OLD), secrets("", NEW, OLD)
    for before in (plain, old):
        assert before.digest(SECRET) in both.digests(SECRET)
        assert before.digest(SECRET) in off.digests(SECRET)
    for one in (plain, old, both, off):
        assert one.digests(SECRET)[0] == one.digest(SECRET)
    assert off.digest(SECRET) == plain.digest(SECRET)
    assert len({plain.digest(SECRET), old.digest(SECRET), both.digest(SECRET)}) == 3, "nobody else can reckon them"


def test_ids_tell_keys_apart() -> None:
    assert id_of(SECRET) == ""
    assert id_of(secrets(OLD).seal(SECRET, "1")) == secrets(OLD).first_id != secrets(NEW).first_id
    assert secrets(NEW, OLD).ids == {secrets(NEW).first_id, secrets(OLD).first_id}


def test_the_cipher_is_loaded_with_the_first_secret_only_and_in_steps() -> None:
    """A process in which nothing is sealed does without its 7 MB, and others run between the steps."""
    code = (
        "import sys; from app.storage.secrets import Secrets\n"
        "steps = []\n"
        "ours = Secrets(['a key'], 1, lambda: steps.append(len(sys.modules)))\n"
        "ours.digests('x'); ours.open('x', '1'); Secrets().prepare()\n"
        "assert 'cryptography' not in sys.modules\n"
        "ours.seal('x', '1'); ours.seal('x', '1'); ours.prepare()\n"
        "assert 'cryptography' in sys.modules and len(steps) == 3 and steps == sorted({*steps}), steps"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("key", "is_stretched"),
    [
        ("0123456789abcdef" * 4, False),
        ("aB3_-" * 8 + "xyz", False),
        ("aB3_-" * 8 + "xyz=", False),
        ("aB3+/" * 8 + "xyz=", False),
        ("a sentence of forty-three characters, I hope", True),
        ("0123456789abcdef" * 3, True),
    ],
)
def test_what_may_be_guessed_takes_long_to_try(key: str, is_stretched: bool) -> None:
    """Each try costs as many rounds; what is spelled as 32 random bytes are needs none."""
    assert (Secrets([key], rounds=1).first_id != Secrets([key], rounds=2).first_id) == is_stretched
