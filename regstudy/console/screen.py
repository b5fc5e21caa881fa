"""Rich's console, tables and words beside bars, for text that anybody may have chosen: shown as it is, never taken for markup or sent as it came."""

from rich.console import Console, OverflowMethod
from rich.progress import TextColumn
from rich.table import Column
from rich.table import Table as RichTable

from regstudy.console.terminal import shown


class Table:
    """A table without lines."""

    def __init__(self, title: str = "", **options: str) -> None:
        self._table = RichTable(title=shown(title), title_justify="left", box=None, pad_edge=False, **options)  # pyright: ignore[reportArgumentType]  # Rich's own keywords

    def column(self, *heading: str, **options: object) -> None:
        """Add a column; its heading by lines."""
        self._table.add_column("\n".join(map(shown, heading)), **{"overflow": cut(), **options})  # pyright: ignore[reportArgumentType]  # the same

    def row(self, *cells: str) -> None:
        """Add a row."""
        self._table.add_row(*map(shown, cells))

    def text(self, width: int) -> str:
        """What would be printed, at most so wide."""
        screen = console(width)
        with screen.capture() as printed:
            screen.print(self._table)
        return "\n".join(line.rstrip() for line in printed.get().rstrip("\n").splitlines())

    def show(self, width: int | None = None) -> None:
        """Print it, as wide as the terminal or so many characters."""
        console(width).print(self._table)


def console(width: int | None = None) -> Console:
    """A console that takes text as it stands."""
    return Console(markup=False, emoji=False, highlight=False, width=width)


def words(field: str) -> TextColumn:
    """What stands beside a bar: a field of its task."""
    return TextColumn(f"{{{field}}}", markup=False, table_column=Column(no_wrap=True, overflow=cut()))


def cut() -> OverflowMethod:
    """How text that is too long ends: Rich's one dot for three would become three where the stream has no such character."""
    return "ellipsis" if shown("…") == "…" else "crop"
