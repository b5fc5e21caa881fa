"""Tables, and Rich's console and words beside bars, for text that anybody may have chosen: shown as it is, never taken for markup or sent as it came."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console, OverflowMethod
from rich.progress import TextColumn
from rich.table import Column
from rich.text import Text

from regstudy.console import terminal
from regstudy.console.terminal import shown
from regstudy.console.text import filled, wrapped

GAP = "  "
"""Between columns."""

DEEP = 2
"""Lines of a cell from which rows are set apart."""


class Table:
    """A table without lines, of which nothing is lost: words stay whole, and where columns do not fit side by side each row is a block of lines."""

    def __init__(self, title: str = "") -> None:
        self._title, self._headings, self._rows = shown(title), list[list[str]](), list[list[str]]()
        self._right: list[bool] = []

    def column(self, *heading: str, justify: str = "left") -> None:
        """Add a column; its heading by lines."""
        self._headings.append([shown(line) for line in heading])
        self._right.append(justify == "right")

    def row(self, *cells: str) -> None:
        """Add a row."""
        self._rows.append([shown(cell) for cell in cells])

    def text(self, width: int | None) -> str:
        """What would be printed, in lines at most so wide; None: a row is a line, however long."""
        head, body = self._laid_out(width)
        title = [wrapped(self._title, width)] if self._title else []
        return "\n".join([*title, *head, *body])

    def show(self, width: int | None = None) -> None:
        """Print it, so wide or as wide as the terminal; into a pipe or file a row is a line."""
        width = width or terminal.width()
        head, body = self._laid_out(width)
        for line, style in [*((line, "italic") for line in self._titled(width)), *((line, "bold") for line in head)]:
            console().print(Text(line, style), soft_wrap=True)
        terminal.put("\n".join(body))

    def _titled(self, width: int | None) -> list[str]:
        return wrapped(self._title, width).splitlines()

    def _laid_out(self, width: int | None) -> tuple[list[str], list[str]]:
        """Lines of headings, and of rows."""
        if width is None:
            heading = [" ".join(lines) for lines in self._headings]
            widths = [max(map(cell_len, cells)) for cells in zip(heading, *self._rows, strict=True)]
            return self._lines([[text] for text in heading], widths), self._body(widths)
        widths = self._widths(width)
        if widths is None:
            return [], self._blocks(width)
        heads = [_folded(heading, room) for heading, room in zip(self._headings, widths, strict=True)]
        return self._lines(heads, widths), self._body(widths)

    def _widths(self, width: int) -> list[int] | None:
        """Of columns: what they would have, less where lines are too short, first of headings, then of cells; None where words do not fit side by side."""
        room = width - len(GAP) * (len(self._headings) - 1)
        words = [_widest(word for line in heading for word in line.split()) for heading in self._headings]
        cells = [[row[place] for row in self._rows] for place in range(len(words))]
        whole, least = (
            [_widest(own) for own in cells],
            [_widest(word for cell in own for word in cell.split()) for own in cells],
        )
        wanted = [max(_widest(heading), own) for heading, own in zip(self._headings, whole, strict=True)]
        for floor in (whole, least):
            wanted = _narrowed(wanted, [max(pair) for pair in zip(words, floor, strict=True)], room)
        return wanted if sum(wanted) <= room else None

    def _lines(self, cells: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
        """A row, whose cells have several lines each; what is on the right is blank, not padded."""
        return [
            GAP.join(
                _placed(text, room, right=right) for text, room, right in zip(line, widths, self._right, strict=True)
            ).rstrip()
            for line in zip_longest(*cells, fillvalue="")
        ]

    def _body(self, widths: Sequence[int]) -> list[str]:
        rows = [
            self._lines([_folded([cell], room) for cell, room in zip(row, widths, strict=True)], widths) for row in self._rows
        ]
        apart = max(map(len, rows), default=0) > DEEP
        return [line for row in rows for line in ([*row, ""] if apart else row)]

    def _blocks(self, width: int) -> list[str]:
        """A block per row, a line or more per cell that is not empty."""
        lines: list[str] = []
        for row in self._rows:
            for place, (heading, cell) in enumerate(zip(self._headings, row, strict=True)):
                label, depth = " ".join(heading), "  " if place else ""
                if cell:
                    lines += filled(f"{label + ': ' if label else ''}{cell}".split(), width, first=depth, rest=depth + "  ")
            lines.append("")
        return lines


def _widest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _narrowed(widths: Sequence[int], floors: Sequence[int], room: int) -> list[int]:
    """Widths that fit, or as near to it as floors let them: the widest gives way first."""
    narrow = list(widths)
    while sum(narrow) > room:
        places = [place for place, floor in enumerate(floors) if narrow[place] > floor]
        if not places:
            break
        narrow[max(places, key=narrow.__getitem__)] -= 1
    return narrow


def _folded(lines: Sequence[str], width: int) -> list[str]:
    return [part for line in lines for part in wrapped(line, width).splitlines()]


def _placed(text: str, width: int, *, right: bool) -> str:
    blank = " " * (width - cell_len(text))
    return blank + text if right else text + blank


def console(width: int | None = None) -> Console:
    """A console that takes text as it stands."""
    return Console(markup=False, emoji=False, highlight=False, width=width)


def words(field: str) -> TextColumn:
    """What stands beside a bar: a field of its task."""
    return TextColumn(f"{{{field}}}", markup=False, table_column=Column(no_wrap=True, overflow=cut()))


def cut() -> OverflowMethod:
    """How text that is too long ends: Rich's one dot for three would become three where the stream has no such character."""
    return "ellipsis" if shown("…") == "…" else "crop"
