"""How the assistant writes, as far as a program can check it: `nlu_data/voice.yml`; docs/voice.md has the rest."""

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from bot.conversation.errors import BadInput
from bot.learning.documents import Document

_SENTENCE_END = re.compile(r"[.?](?=\s|$)")
_EMOJI = re.compile("[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]")
_TIME = re.compile(r"\d\s?[ap]\.?m\b", re.IGNORECASE)
_PRICE = re.compile(r"£\d+\.\d(?!\d)|£\s|\d\s?(?:pounds|GBP)\b")
_LINK = re.compile(r"(?:https?://|www\.)[^\s,;]+", re.IGNORECASE)
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"this is no regular expression: {error}") from None
    return text


class Voice(BaseModel):
    """The rules. `unwanted` are regular expressions; case does not matter. Without `sites`, links may lead anywhere."""

    FILE: ClassVar = "voice.yml"

    model_config = ConfigDict(frozen=True, extra="forbid")

    most_words: int = 65
    most_sentences: int = 4
    most_title_characters: int = 36
    sites: tuple[str, ...] = ()
    unwanted: tuple[Annotated[str, AfterValidator(_expression)], ...] = ()

    @classmethod
    def read(cls, document: Document | None) -> "Voice":
        """Return the rules of a file; without one, what docs/voice.md says of length.

        Raises:
            BadInput: the file is not as it should be.
        """
        try:
            return cls.model_validate(document.value) if document else cls()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = f"{document.file}:{document.line(*first['loc'])}" if document else cls.FILE
            raise BadInput(f"{place}: {first['msg']}") from error

    def faults(self, text: str) -> list[str]:
        """Return what is wrong with an answer, in words."""
        words, sentences = len(text.split()), len(_SENTENCE_END.findall(text))
        found = [
            (words > self.most_words, f"it has {words} words, {self.most_words} are the most"),
            (sentences > self.most_sentences, f"it has {sentences} sentences, {self.most_sentences} are the most"),
            ("!" in text, "it has an exclamation mark"),
            (bool(_EMOJI.search(text)), "it has an emoji"),
            (bool(_TIME.search(text)), "times are written like 9:00 to 17:00"),
            (bool(_PRICE.search(text)), "prices are written like £3.95"),
        ]
        told = [what for wrong, what in found if wrong]
        for expression in self.unwanted:
            if hit := re.search(expression, text, re.IGNORECASE):
                told.append(f"it says “{hit[0]}”")
        return told + [f"it leads to {link}, which is not our own site" for link in self._foreign(text)]

    def title_faults(self, title: str) -> list[str]:
        """Return what is wrong with the text of a button, in words."""
        size = len(title)
        if size > self.most_title_characters:
            return [f"it has {size} characters, {self.most_title_characters} are the most"]
        return [] if title.strip() else ["it is empty"]

    def _foreign(self, text: str) -> list[str]:
        if not self.sites:
            return []
        own = re.compile(rf"https://(?:{'|'.join(map(re.escape, self.sites))})(?:/|$)")
        links = [link.rstrip(".:)") for link in _LINK.findall(text)]
        addresses = [address for address in _ADDRESS.findall(text) if address.rpartition("@")[2] not in self.sites]
        return [link for link in links if not own.match(link)] + addresses
