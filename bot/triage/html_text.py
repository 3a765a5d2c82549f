"""The text of an HTML mail, without what was quoted."""

from html.parser import HTMLParser

_SILENT = frozenset({"script", "style", "head", "title", "template"})
_QUOTES = ("gmail_quote", "moz-cite-prefix", "yahoo_quoted", "divrplyfwdmsg")
"""Classes and ids in which mail programs wrap what they quote."""
_BREAKS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol", "blockquote"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})


def html_text(html: str) -> str:
    """Return what a reader sees of an HTML text, with its lines."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.said).splitlines())
    return "\n".join(line for line in lines if line)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._hidden: list[str] = []
        """The element that hides what is in it, and those of the same name inside it."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Hide what is no text of the writer's; break lines as a browser does."""
        if tag in _BREAKS:
            self.said.append("\n")
        if self._hidden:
            if tag == self._hidden[0] and tag not in _VOID:
                self._hidden.append(tag)
        elif tag not in _VOID and (tag in _SILENT or tag == "blockquote" or _quotes(attrs)):
            self._hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """End what was hidden."""
        if self._hidden and tag == self._hidden[0]:
            self._hidden.pop()
        if tag in _BREAKS:
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        """Take the words, of which line ends are no lines."""
        if not self._hidden:
            self.said.append(data.replace("\n", " ").replace("\r", " "))


def _quotes(attrs: list[tuple[str, str | None]]) -> bool:
    names = " ".join(value or "" for name, value in attrs if name in ("class", "id")).lower()
    return any(mark in names for mark in _QUOTES)
