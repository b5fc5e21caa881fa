"""A search, as data: which fields are searched in which ranges, on which seeds, and which study is to confirm the choice. Reads YAML; imports neither torch nor optuna."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, FiniteFloat, PositiveInt, ValidationError, model_validator

from regstudy.config import RunConfig, anchored
from regstudy.console.terminal import plain
from regstudy.design import design_file
from regstudy.design.design import Design, Searched
from regstudy.design.fields import OF_ALL, Fields, Margin, Name, Seed, Value, anchored_fields, at
from regstudy.errors import ConfigError, DesignError
from regstudy.schema import Summary

METRIC = Summary.ENDPOINT_VALIDATION_ACCURACY
"""What configurations are chosen by: never a test image."""

MOST_SEEDS = 1_000
"""Of each configuration, in the search and in the study that confirms it."""

HELD_OUT = "validation_size"
FIRST_SEED = 1_000_000
"""Seeds of a search, far from those that studies use."""


class Range(BaseModel, frozen=True, extra="forbid"):
    """Numbers from low to high; on a logarithmic scale, or whole ones."""

    low: FiniteFloat
    high: FiniteFloat
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError("expected low < high, and low > 0 on a logarithmic scale")
        if self.whole and not (round(self.low) < round(self.high) and (round(self.low) >= 1 or not self.log)):
            raise ValueError("expected two whole numbers, low < high, and low ≥ 1 on a logarithmic scale")
        return self

    def ends(self) -> tuple[float, float]:
        """The least and the most that may be chosen."""
        return (round(self.low), round(self.high)) if self.whole else (self.low, self.high)


class Search(BaseModel, frozen=True, extra="forbid"):
    """What is searched."""

    name: Name
    about: str = Field(min_length=1)
    recipe: Literal["published", "corrected"] = "published"
    overrides: dict[str, Value] = {}
    space: Annotated[dict[str, Range | Annotated[tuple[Value, ...], Field(min_length=2)]], Field(min_length=1)]
    baseline: Fields = Field(description="fields of the configuration that the choice is confirmed against")
    seeds_each: Annotated[PositiveInt, Field(le=MOST_SEEDS)] = 3
    confirm_seeds: Annotated[PositiveInt, Field(le=MOST_SEEDS)] = 10
    margin: Margin = 0.05

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for name in self.space:
            if name not in RunConfig.model_fields or name in OF_ALL:
                known = ", ".join(field for field in RunConfig.model_fields if field not in OF_ALL)
                raise at(("space", name), f"expected one of {known}")
        twice = self.overrides.keys() & self.space.keys()
        if twice:
            raise at(("overrides", min(twice)), "is searched too: say it in one of the two places")
        self.config(dict(self.baseline))
        self._check_space()
        self._check_confirming()
        return self

    def _check_space(self) -> None:
        """What may be chosen are configurations that hold images out, by themselves or as the search chooses how many."""
        sizes = self.space.get(HELD_OUT)
        chosen = {} if sizes is None else {HELD_OUT: (sizes.ends() if isinstance(sizes, Range) else sizes)[-1]}
        for name, own in self.space.items():
            for value in own.ends() if isinstance(own, Range) else own:
                if self.config({**chosen, name: value}).validation_size == 0:
                    place = ("space", name) if name == HELD_OUT else ("overrides",)
                    raise at(place, "a search chooses on held-out images: give validation_size, or the recipe corrected")
            if isinstance(own, Range) and not own.whole and isinstance(RunConfig.model_fields[name].default, int):
                raise at(("space", name), "expected whole numbers: add whole: true")

    def _check_confirming(self) -> None:
        """What the confirming study would refuse is known before anything is trained, not after."""
        try:
            for end in (0, -1):  # of two different choices one is not the baseline
                best = {name: (own.ends() if isinstance(own, Range) else own)[end] for name, own in self.space.items()}
                if not self.is_baseline(best):
                    self.confirming(best, 1, 1)
                    return
        except ConfigError:
            return  # these ends do not go together, which says nothing of what is chosen
        except ValidationError as error:
            first = error.errors()[0]
            top, *rest = first.get("ctx", {}).get("place", first["loc"]) or ("baseline",)
            if top == "configurations":
                top, rest = ("baseline", "space")[rest[:1] == [1]], rest[1:]
            raise at((top, *rest), f"the study that is to confirm the choice cannot have that: {first['msg']}") from None

    def is_baseline(self, fields: Mapping[str, Any]) -> bool:
        """Whether these fields give the configuration that the choice is confirmed against."""
        return self.config(fields) == self.config(dict(self.baseline))

    @property
    def seeds(self) -> list[Seed]:
        """The seeds that each configuration is tried with."""
        return list(range(FIRST_SEED, FIRST_SEED + self.seeds_each))

    def config(self, fields: Mapping[str, Any], dataset: str = "auto", seed: int = FIRST_SEED) -> RunConfig:
        """The configuration with these fields; ConfigError if one is out of range."""
        given = {"recipe": self.recipe, "dataset": dataset, **self.overrides, **fields, "seed": seed}
        return RunConfig.from_text({name: plain(value) for name, value in given.items()})

    def with_changes(self, *, epochs: int | None, dataset: str | None) -> Self:
        """With other epochs or another data set than the file's."""
        given = {"epochs": epochs, "dataset": None if dataset is None else anchored(dataset)}
        changes = {name: value for name, value in given.items() if value is not None}
        for name in changes.keys() & {*self.space, *self.baseline}:
            where = "is searched" if name in self.space else "the baseline has its own"
            raise DesignError(f"--{name} {given[name]}: {where}: leave it out, or change it in the file")
        return self.model_copy(update={"overrides": {**self.overrides, **changes}})

    def confirming(self, best: Mapping[str, Any], tried: int, runs: int) -> Design:
        """The study that confirms a choice with fresh seeds, or does not."""
        claim = {
            "id": "is-better",
            "text": "What the search chose is better than the baseline",
            "contrasts": [
                {
                    "metric": Summary.ENDPOINT_TEST_ACCURACY.value,
                    "of": dict(best),
                    "against": dict(self.baseline),
                    "expect": "higher",
                    "margin": self.margin,
                }
            ],
        }
        return Design.model_validate(
            {
                "name": f"{self.name}-confirm"[:60],
                "about": f"Confirms what the search {self.name} chose, with seeds that it did not use. {self.about}",
                "recipe": self.recipe,
                "overrides": dict(self.overrides),
                "configurations": [dict(self.baseline), dict(best)],
                "seeds": self.confirm_seeds,
                "margin": self.margin,
                "claims": [claim],
                "searched": Searched(
                    name=self.name, metric=METRIC.value, configurations=tried, runs=runs, seeds=tuple(self.seeds)
                ).model_dump(),
            }
        )


def load(path: str) -> Search:
    """Read a search from a file, whose folder its relative paths begin at; DesignError names line, field, and what was expected."""
    text = design_file.text_of(
        Path(path), f"file {path!r}", "the path of a YAML file with fields name, about, space and baseline"
    )
    search = design_file.parse_as(Search, text, path, "is no search: expected fields such as name, about, space and baseline")
    folder = Path(path).parent
    changes: dict[str, Any] = {part: anchored_fields(getattr(search, part), folder) for part in ("overrides", "baseline")}
    changes["space"] = {
        name: own if isinstance(own, Range) else tuple(anchored_fields(dict(enumerate(own)), folder).values())
        for name, own in search.space.items()
    }
    return search.model_copy(update=changes)


def require_place(path: Path, search: Search) -> None:
    """DesignError if a file is there that this search has not written, or none can be: better before it begins than at its end."""
    if not path.exists():
        if not os.access(path.absolute().parent, os.W_OK):
            raise DesignError(
                f"{path} cannot be written: there is no folder {str(path.absolute().parent)!r} that can; name another file with --output"
            )
        return
    try:
        searched = design_file.load(str(path)).searched
    except DesignError:
        searched = None
    if searched is None or searched.name != search.name:
        raise DesignError(
            f"{path} is there already, and is not what this search writes: name another file with --output, or remove it"
        )


def write(design: Design, path: Path) -> None:
    """Write the confirming design; DesignError if an earlier one is there that chose something else, or was changed."""
    text = design.to_yaml()
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") != text:
        raise DesignError(
            f"{path} is there already, and says something else: remove it, or name another file with --output, and search again, which trains nothing anew"
        )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DesignError(
            f"{path} cannot be written ({error.strerror}): name another file with --output, and search again, which trains nothing anew"
        ) from None


def names(values: Sequence[object]) -> list[str]:
    """A choice's values as text, which is what a sampler may choose among."""
    return [plain(value) for value in values]
