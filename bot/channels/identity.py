"""Who a web-chat customer is: a signed token that only this installation can issue."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from itsdangerous import BadSignature, URLSafeTimedSerializer

from bot.conversation.errors import ConfigError

SECRET_BYTES = 32
MAX_AGE = timedelta(days=180)
"""A token that was not used for so long is no longer known."""
RENEW_AFTER = timedelta(days=30)
MAX_TOKEN_CHARS = 400


def load_secret(data: Path, name: str) -> bytes:
    """Return the secret `name` of an installation, made at first use; a file that only its owner can read.

    Raises:
        ConfigError: the file can't be read or written, or holds no secret.
    """
    path = data / "secrets" / f"{name}.key"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        path.chmod(0o600)
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise ConfigError(f"the secret in {path} can't be used: {type(error).__name__}") from error
    if len(secret) < SECRET_BYTES:
        raise ConfigError(f"the secret in {path} is too short; remove the file to get a new one")
    return secret


def _create(path: Path) -> None:
    # A link appears with all of its contents and fails if another process was faster: both then read the same.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()


@dataclass(frozen=True, slots=True)
class Identity:
    """A customer of the web chat, and the token that proves it."""

    customer: str
    token: str
    new: bool


class Identities:
    """Issues and checks tokens."""

    def __init__(self, secret: bytes) -> None:
        self._serializer = URLSafeTimedSerializer(
            secret, salt="frontdesk.web-chat", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def issue(self) -> Identity:
        """Return a new customer."""
        customer = secrets.token_urlsafe(18)
        return Identity(customer, self._sign(customer), new=True)

    def recognise(self, token: str | None) -> Identity | None:
        """Return the customer whom a token names, with a fresh token if it is getting old; None if it is not ours."""
        if not token or len(token) > MAX_TOKEN_CHARS or not token.isascii():
            return None
        try:
            customer, issued_at = self._serializer.loads(
                token, max_age=int(MAX_AGE.total_seconds()), return_timestamp=True
            )
        except BadSignature:
            return None
        if datetime.now(UTC) - issued_at > RENEW_AFTER:
            token = self._sign(customer)
        return Identity(str(customer), token, new=False)

    def _sign(self, customer: str) -> str:
        return str(self._serializer.dumps(customer))
