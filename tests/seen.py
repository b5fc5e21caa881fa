"""What a reader of a report's page sees, line by line: for tests of what pages say."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

UNSEEN, SLIDERS, NUMBERS = {"script", "style", "metadata"}, {"luck-data", "what-if-data"}, "data:text/csv;charset=utf-8,"


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        if tag in UNSEEN and held.get("id") not in SLIDERS:
            self._inside.append(tag)
        if held.get("aria-label"):
            self.lines.append(str(held["aria-label"]))
        if str(held.get("href")).startswith(NUMBERS):
            self.lines += unquote(str(held["href"]).removeprefix(NUMBERS)).splitlines()

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside and data.strip():
            self.lines.append(" ".join(data.split()))


def seen(path: Path) -> list[str]:
    """Lines of text, descriptions, and files of numbers that can be saved; of Markdown, its lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text.splitlines()
    parser = _Text()
    parser.feed(text)
    return parser.lines
