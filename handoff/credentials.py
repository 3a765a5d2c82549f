"""Passwords and tokens: how they are made, hashed and compared. Nothing here is ever stored in clear."""

import asyncio
import hashlib
import hmac
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bot.conversation.errors import BadInput

MIN_CHARS = 10
MAX_CHARS = 200
TOKEN_PREFIX = "fd_"  # noqa: S105
_ONE_TIME_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"
_AT_ONCE = 2
"""Hashes at one time: each takes 64 MiB and a core."""


class Passwords:
    """argon2id with the library's parameters, off the event loop.

    Source: RFC 9106, second recommended option: 3 passes, 64 MiB, 4 lanes.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._nobody = ""

    async def hash(self, password: str) -> str:
        """Return the hash to store."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def fits(self, password_hash: str | None, password: str) -> bool:
        """Say whether a password is the one of the hash; for no hash, take as long and say no."""
        if not self._nobody:
            self._nobody = await self.hash(secrets.token_urlsafe(16))
        try:
            async with self._turns:
                typed = _normal(password[: MAX_CHARS + 1])
                await asyncio.to_thread(self._hasher.verify, password_hash or self._nobody, typed)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)


def check_new_password(password: str, name: str) -> None:
    """Refuse a password that is too short or easily guessed.

    Raises:
        BadInput: the text says why.
    """
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise BadInput(f"a password has {MIN_CHARS} to {MAX_CHARS} characters")
    if name in password.lower():
        raise BadInput("the password contains the sign-in name")
    if len(set(password)) < 5:
        raise BadInput("the password repeats too few characters")


def one_time_password() -> str:
    """Return a password that is easy to copy: four groups of four, 78 bits."""
    return "-".join("".join(secrets.choice(_ONE_TIME_ALPHABET) for _ in range(4)) for _ in range(4))


def new_token(prefix: str = "") -> str:
    """Return a random token of 256 bits."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return what is stored of a token or of a typed name: its SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_of(session_token: str) -> str:
    """Return the CSRF token of a session; it follows from the session's token, so it needs no place to be stored."""
    return hmac.new(session_token.encode(), b"frontdesk csrf", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _normal(password: str) -> bytes:
    # The same password typed on another keyboard may arrive composed differently.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
