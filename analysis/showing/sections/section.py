"""What a section is: a name, its question, the columns that it needs, and functions that make its finding, figures, tables and words. Left out if they make nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from ...judging.findings import Findings
from ...reading import errors
from ...reading.errors import Errors
from ...reading.trials import Words
from .. import csv_numbers, plots
from ..figures import Drawing, Looks
from ..grids import Grid


@dataclass(frozen=True)
class Material:
    """What sections are made of: what was found, how each configuration is drawn, the images that runs misclassify; and the same of the study's other data sets."""

    found: Findings
    look: Looks
    errors: Errors
    beside: "tuple[Material, ...]" = ()

    @classmethod
    def of(cls, found: Findings) -> Self:
        """What these findings' report is made of; reads the images that runs misclassify, where the findings have them not."""
        # Figures show configurations in the order of rank, as the first screen does; how each looks is its own, whatever the order.
        look = plots.looks(list(dict.fromkeys([*map(str, found.table["configuration"]), *found.trials.runs["configuration"]])))
        beside = tuple(cls(other, look, other.errors or errors.read(other.trials)) for other in found.beside)
        return cls(found, look, found.errors or errors.read(found.trials), beside)


@dataclass(frozen=True)
class Made:
    """A section as it is shown, under its finding, or its `question` where there is none; `said` are the sentences that follow.

    `told` is what its templates are given, which hold its words: `NAME.above`, `.between` its figures and tables, `.below`. `folded`: on the page, all of it under its title.
    """

    name: str
    title: str
    question: str
    said: Sequence[str]
    figures: Sequence[Drawing]
    tables: Sequence[Grid]
    told: dict[str, object] | None
    folded: bool = False


def nothing(_material: Material) -> tuple[()]:
    """No finding, no figures, no tables."""
    return ()


def silence(_material: Material) -> None:
    """No words."""


@dataclass(frozen=True)
class Section:
    """A section of every report whose runs have the columns that it `needs`, and of which it has something to show or tell.

    `finding`: what was found as a heading, without a stop, and sentences that follow it; none if there is nothing to be said. It claims no more than the intervals.
    """

    name: str
    question: str
    needs: tuple[str, ...] = ()
    finding: Callable[[Material], Sequence[str]] = nothing
    figures: Callable[[Material], Sequence[Drawing]] = nothing
    tables: Callable[[Material], Sequence[Grid | None]] = nothing
    told: Callable[[Material], dict[str, object] | None] = silence

    def make(self, material: Material) -> Made | None:
        """The section; None if it is left out."""
        if not material.found.trials.has(*self.needs):
            return None
        tables = [grid for grid in self.tables(material) if grid is not None]
        figures = [_named(drawing, material.found.trials.words) for drawing in self.figures(material)]
        title, *said = self.finding(material) or (self.question,)
        made = Made(self.name, title, self.question, said, figures, tables, self.told(material))
        return made if made.figures or made.tables or made.told or title != self.question else None


def _named(drawing: Drawing, words: Words) -> Drawing:
    return replace(drawing, numbers=csv_numbers.named(drawing.numbers, words))
