"""Every Redis key is documented, and keeps to its partition's slot."""

from pathlib import Path

from bot.conversation import keys
from bot.conversation.connect import PARTITIONS
from bot.conversation.ids import ConversationId

ROOT = Path(__file__).parents[2]
CONVERSATION = ConversationId("CONVERSATION")


def all_keys() -> list[str]:
    mine = keys.Keys(7)
    found = [name for name in vars(mine).values() if name != "fd:{p07}"]
    found += [mine.lease("ROLE"), mine.seen("CHANNEL", "CUSTOMER", "MESSAGE")]
    found += [mine.conversation(CONVERSATION), mine.log(CONVERSATION), mine.mail(CONVERSATION)]
    return found


def test_every_key_has_a_row_in_the_documents() -> None:
    page = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
    named = [key.replace("{p07}", "{pNN}") for key in all_keys()]
    named += [keys.members("ROLE"), keys.LIVE, keys.TYPING, keys.DESK, PARTITIONS]
    missing = [key for key in named if f"| `{key}` |" not in page]
    assert missing == []


def test_all_keys_of_a_partition_carry_its_hash_tag() -> None:
    assert [key for key in all_keys() if not key.startswith("fd:{p07}:")] == []
