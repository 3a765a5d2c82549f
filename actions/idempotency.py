"""Keys that make an action's effect on another system happen once.

A turn that was interrupted (a crash, a lost connection) runs again from the start. So whatever an action does outside
Frontdesk (book a refund, open a case, send a mail) must carry a key that is the same in both runs, and the other system
must refuse or answer a repeated key without doing the thing again; most payment and ticket APIs take one as a header
`Idempotency-Key`. An action that does two such things in one run gives each its own `part`.
"""

import hashlib
from typing import Any

from rasa_sdk import Tracker


def key(tracker: Tracker, action: str, part: str = "") -> str:
    """Return the key for what `action` does about the customer's latest message."""
    said: dict[str, Any] = next((event for event in reversed(tracker.events) if event.get("event") == "user"), {})
    metadata = said.get("metadata") or {}
    message = metadata.get("message_id") or said.get("message_id") or said.get("timestamp") or ""
    digest = hashlib.sha256("\n".join((str(tracker.sender_id), str(message), action, part)).encode())
    return digest.hexdigest()[:32]
