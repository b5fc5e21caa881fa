"""What a study is, as data: configurations, seeds, endpoint, margin, claims. Reads no files; imports neither torch nor mlflow."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from regstudy import identity, own_code
from regstudy.config import Dataset, RunConfig, anchored, dataset_name, quoted
from regstudy.console.terminal import plain, plural
from regstudy.design import labels
from regstudy.design.claim import ALL_OTHERS, Claim, Contrast, Endpoint, Metric, check_order
from regstudy.design.fields import (
    MOST_TRIALS,
    NAME,
    NOT_HERE,
    OF_ALL,
    Called,
    Fields,
    Margin,
    Name,
    Place,
    Seed,
    Seeds,
    Setting,
    Value,
    anchored_fields,
    at,
    check_fields,
)
from regstudy.design.reasons import first_reason
from regstudy.design.trial import Trial
from regstudy.errors import ConfigError, DesignError
from regstudy.schema import HELD_OUT

ANY_DATA = "auto"
"""A configuration whose data set is not resolved yet: it has no digest."""

LEAST_ALPHA = 1e-9
"""Below which no number of seeds that anybody runs would show anything."""


class Searched(BaseModel, frozen=True, extra="forbid"):
    """Where a configuration of a design comes from: a search among others, by a number on images that are not the test's."""

    name: Name
    metric: Metric
    configurations: Annotated[int, Field(ge=1, description="how many were tried")]
    runs: Annotated[int, Field(ge=1, description="how many runs that took")]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, description="seeds of these runs: none of them is this study's")]


class Design(BaseModel, frozen=True, extra="forbid"):
    """A study, described before it runs."""

    name: Name
    about: str = Field(min_length=1, description="what the study asks, in a sentence or two")
    recipe: Literal["published", "corrected"] = "published"
    overrides: dict[str, Value] = Field(default={}, description="fields of the configuration that differ from the recipe's")
    configurations: Annotated[tuple[Fields, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="what is compared, one by one: fields, and perhaps what they are called, their 'name'; null: to be set when the study is run",
    )
    grid: dict[str, Annotated[tuple[Setting, ...], Field(min_length=1)]] | None = Field(
        default=None, description="what is compared: every combination of these values"
    )
    seeds: Seeds = Field(description="a number of seeds, or a list of them: each is a block, in which every configuration runs")
    endpoint: Endpoint = Field(default="endpoint/test_accuracy", description="the per-run number that ranks configurations")
    margin: Margin = Field(default=0.05, description="smallest difference of the endpoint that matters; accuracies: points")
    alpha: float = Field(default=0.05, ge=LEAST_ALPHA, lt=1, description="level of the tests, shared out among the claims")
    claims: tuple[Claim, ...] = ()
    reference: Fields | Called | None = Field(
        default=None,
        description="fields, or the name, that pick the configuration that all others are compared with, rather than each with each",
    )

    datasets: tuple[Dataset, ...] = Field(
        default=(), description="several data sets, on each of which every configuration runs; instead of overrides' dataset"
    )
    searched: Searched | None = Field(default=None, description="the search whose choice this study confirms; filled in by it")
    own: tuple[dict[str, str], ...] = Field(
        default=(), description="source and version of your own code that configurations name; filled in when the study is run"
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.configurations is None) == (self.grid is None):
            raise at(("configurations",), "give either 'configurations' or 'grid'")
        if len(set(self.seeds)) < len(self.seeds):
            raise at(("seeds",), "a seed is listed twice")
        if self.searched is not None and (used := set(self.seeds) & set(self.searched.seeds)):
            raise at(
                ("seeds",), f"seed {min(used)} was used by the search {self.searched.name}: a study confirms with fresh ones"
            )
        check_fields(self.grid or {}, ("grid",), OF_ALL)
        self._check_number()
        check_fields(self.overrides, ("overrides",), NOT_HERE)
        for number, fields in enumerate(self.configurations or ()):
            check_fields(_without_name(fields), ("configurations", number), OF_ALL)
        self._check_names()
        self._check_datasets()
        twice = self.overrides.keys() & {name for fields in self.cells() for name in fields}
        if twice:
            raise at(("overrides", min(twice)), "is set for single configurations too: say it in one of the two places")
        self._check_configurations()
        self._check_claims()
        return self

    def _check_datasets(self) -> None:
        if not self.datasets:
            return
        if "dataset" in self.overrides:
            raise at(("overrides", "dataset"), "'datasets' says on which data sets: leave this out")
        names = [dataset_name(dataset) for dataset in self.datasets]
        if len(names) < 2 or len(set(names)) < len(names) or ANY_DATA in names:
            raise at(("datasets",), f"expected two data sets or more, each by a name of its own, got {', '.join(names)}")

    def _check_number(self) -> None:
        """Counted before any of a grid is made."""
        cells = len(self.configurations) if self.configurations is not None else math.prod(map(len, (self.grid or {}).values()))
        cells *= len(self.datasets) or 1
        if len(self.seeds) * cells > MOST_TRIALS:
            raise at(("seeds",), f"this makes {len(self.seeds) * cells:,} trials; there may be {MOST_TRIALS:,}")

    def _check_configurations(self) -> None:
        if self.unset():
            return
        RunConfig.from_text({"dataset": str(self.overrides.get("dataset", "auto"))})
        seen: set[RunConfig] = set()
        for number, config in enumerate(self._each_config()):
            if config in seen:
                place = ("configurations", number) if self.configurations else ("grid",)
                raise at(place, "this configuration is there twice")
            seen.add(config)
        self._check_own_code()
        if any(self.names()):
            self._check_distinct(self.called())
        self._check_held_out()

    def _each_config(self) -> Iterator[RunConfig]:
        """The configurations of a block; a ConfigError says which of them is out of range."""
        for number, fields in enumerate(self.cells()):
            try:
                yield self._config(fields, ANY_DATA, 0)
            except ConfigError as error:
                name = str(error).partition(":")[0]
                if self.configurations and name in fields:
                    error.place = ("configurations", number, name)
                raise

    def _check_own_code(self) -> None:
        """A file of the user's own is known by its name, whatever folder it is in: two of one name would be taken for each other."""
        known: dict[str, str] = {}
        for reference in self.references():
            other = known.setdefault(own_code.name(reference), reference)
            if own_code.absolute(other) != own_code.absolute(reference):
                place = ("configurations",) if self.configurations else ("grid",)
                raise at(
                    place,
                    f"{other} and {reference} have one name: name one of the files otherwise, so that their runs are told apart",
                )

    def _check_held_out(self) -> None:
        """Numbers on held-out images are asked for only where there are some: else it would show after the training."""
        asked: dict[Place, str] = {("endpoint",): self.endpoint}
        for number, claim in enumerate(self.claims):
            asked |= {("claims", number, "contrasts", place, "metric"): own.metric for place, own in enumerate(claim.contrasts)}
        of_held_out = [place for place, metric in asked.items() if metric in HELD_OUT]
        if of_held_out and any(not config.validation_size for config in self.configs()):
            told = f"{asked[of_held_out[0]]} is recorded only where training images are held out: set validation_size above 0"
            raise at(of_held_out[0], told)

    def _check_names(self) -> None:
        """Names are names; whether they are no other's label is known once all fields are."""
        for number, fields in enumerate(self.configurations or ()):
            given = fields.get(NAME, "unnamed")
            if not (isinstance(given, str) and labels.NAME.fullmatch(given)) or given == ALL_OTHERS:
                raise at(("configurations", number, NAME), f"expected {labels.EXPECTED}, got {quoted(given)}")
        self._check_distinct([name for name in self.names() if name])

    def _check_distinct(self, called: Sequence[str]) -> None:
        seen = set[str]()
        for name in map(str.casefold, called):
            if name in seen:
                given = next(own for own in called if own.casefold() == name)
                raise at(("configurations",), f"two configurations are called {given!r}: name one of them otherwise")
            seen.add(name)

    def _check_claims(self) -> None:
        check_order(self.claims)
        if self.unset():
            return
        if self.reference is not None:
            if isinstance(self.reference, dict):
                check_fields(self.reference, ("reference",), OF_ALL)
            self._find(self.reference, ("reference",))
        for number, claim in enumerate(self.claims):
            for position, contrast in enumerate(claim.contrasts):
                self._check_contrast(contrast, ("claims", number, "contrasts", position))

    def _check_contrast(self, contrast: Contrast, place: Place) -> None:
        known = self.dataset_names()
        for side, name in {"on": contrast.on, "minus": contrast.minus}.items():
            if name is not None and name not in known:
                told = f"one of {', '.join(known)}" if known else "none, since the design has no 'datasets'"
                raise at((*place, side), f"expected {told}, got {quoted(name)}")
        for side, fields in {"of": contrast.of, "against": contrast.against}.items():
            if isinstance(fields, dict):
                check_fields(fields, (*place, side), OF_ALL)
        subject = self._find(contrast.of, (*place, "of"))
        rival = contrast.against
        if rival is not None and rival != ALL_OTHERS and self._find(rival, (*place, "against")) == subject:
            raise at(place, "this compares a configuration with itself")

    def _find(self, fields: Mapping[str, Any] | str, place: Place) -> int:
        try:
            return self.pick(fields)
        except LookupError:
            if isinstance(fields, str):
                there = ", ".join(filter(None, self.names())) or "none, since none has a 'name'"
                raise at(place, f"expected fields, or the name of a configuration ({there}), got {quoted(fields)}") from None
            described = ", ".join(f"{name} {plain(value)}" for name, value in fields.items())
            raise at(place, f"{described} is no configuration of this study") from None

    def dataset_names(self) -> list[str]:
        """What its data sets are called, if it names several."""
        return [dataset_name(dataset) for dataset in self.datasets]

    def metrics(self) -> list[str]:
        """The recorded numbers that it speaks of, its endpoint first."""
        claimed = (contrast.metric for claim in self.claims for contrast in claim.contrasts)
        return list(dict.fromkeys([self.endpoint, *claimed]))

    def cells(self) -> list[dict[str, Any]]:
        """The fields of each configuration."""
        if self.configurations is not None:
            return [_without_name(fields) for fields in self.configurations]
        grid = self.grid or {}
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]

    def names(self) -> list[str]:
        """What the design itself calls each configuration; empty where it does not."""
        return [str(fields.get(NAME, "")) for fields in self.configurations or ({},) * len(self.cells())]

    def called(self) -> list[str]:
        """What each configuration is called: by its name, else by its fields."""
        by_fields = labels.labels([config.model_dump() for config in self.configs()])
        return [name or label for name, label in zip(self.names(), by_fields, strict=True)]

    def unset(self) -> list[str]:
        """Fields whose values are left open until the study is run."""
        return sorted({name for fields in self.cells() for name, value in fields.items() if value is None})

    def pick(self, fields: Mapping[str, Any] | str) -> int:
        """Which configuration a claim's fields single out, the others being the recipe's, or its name; LookupError if none."""
        if isinstance(fields, str):
            if fields not in self.names():
                raise LookupError(fields)
            return self.names().index(fields)
        wanted = _anywhere(self._config(fields, ANY_DATA, 0))
        if wanted not in self.places:
            raise LookupError(fields)
        return self.places[wanted]

    @cached_property
    def places(self) -> dict[RunConfig, int]:
        """Where each configuration stands in a block."""
        return {_anywhere(config): number for number, config in enumerate(self.configs())}

    def configs(self, dataset: str = ANY_DATA, seed: int = 0) -> list[RunConfig]:
        """The configurations of one block, on whatever data if none is named; ConfigError if one of them is out of range."""
        return [self._config(fields, dataset, seed) for fields in self.cells()]

    def _config(self, fields: Mapping[str, Any], dataset: str, seed: int) -> RunConfig:
        given = {"recipe": self.recipe, **self.overrides, **fields, "dataset": dataset, "seed": seed}
        config = RunConfig.from_text({name: plain(value) for name, value in given.items() if value is not None})
        names = [own_code.name(reference) for reference in config.references()]
        known = [facts for facts in self.own if facts.get("code") in names]
        if not names or len(known) < len(names):
            return config
        return config.model_copy(update={"own_code": own_code.digest_of(known)})

    def references(self) -> list[str]:
        """The user's own code that its configurations name."""
        return list(dict.fromkeys(reference for config in self.configs() for reference in config.references()))

    def resolved(self, dataset: str) -> Self:
        """The design with its code read, and named so that whoever is in another folder finds it: what is kept with a study. `dataset` is the one that was found."""
        references = self.references()
        of_data = {"dataset": dataset} if ":" in dataset else {}
        if not references and not of_data:
            return self
        here = self.anchored(None)
        data = {} if self.datasets else {"overrides": {**here.overrides, **of_data}}
        return here.changed({**data, "own": own_code.described(references)})

    def anchored(self, folder: Path | None) -> Self:
        """The design with what it names of the user's own by whole paths, from this folder on (None: where the user is)."""
        values = [*self.datasets, *self.overrides.values(), *(value for fields in self.cells() for value in fields.values())]
        if all(anchored(value, folder) == value for value in values if isinstance(value, str)):
            return self
        changes: dict[str, Any] = {"overrides": anchored_fields(self.overrides, folder)}
        changes["datasets"] = [anchored(dataset, folder) for dataset in self.datasets]
        if self.configurations is not None:
            changes["configurations"] = [anchored_fields(fields, folder) for fields in self.configurations]
        if self.grid is not None:
            changes["grid"] = {
                name: list(anchored_fields(dict(enumerate(values)), folder).values()) for name, values in self.grid.items()
            }
        return self.changed(changes)

    def with_values(self, values: Mapping[str, str]) -> Self:
        """The design with its open fields set; DesignError names one that is not open, or stays so."""
        for name in values:
            if name not in self.unset():
                there = ", ".join(self.unset()) or "none"
                raise DesignError(f"--set {name}: the design {self.name} leaves no such field open (open: {there})")
        still = [name for name in self.unset() if name not in values]
        if still:
            given = " ".join(f"--set {name}=VALUE" for name in still)
            raise DesignError(f"the design {self.name} leaves {' and '.join(still)} open: give {given}")

        def filled(name: str, value: Any) -> Any:
            return values[name] if value is None else value

        cells = [{name: filled(name, value) for name, value in fields.items()} for fields in self.cells()]
        named = [{NAME: name, **fields} if name else fields for name, fields in zip(self.names(), cells, strict=True)]
        if not values:
            return self
        try:
            return self.changed({"configurations": named, "grid": None})
        except DesignError as error:
            given = ",".join(f"{name}={value}" for name, value in values.items())
            raise DesignError(f"--set {given}: {error}") from None

    def with_changes(self, *, seeds: Sequence[int] | None, epochs: int | None, dataset: str | None) -> Self:
        """The design with other seeds, epochs or data set than the file's."""
        overrides = dict(self.overrides)
        if epochs is not None:
            overrides["epochs"] = epochs
        if dataset is not None and self.datasets:
            raise DesignError(
                f"--dataset {dataset}: the design {self.name} names its data sets itself, {', '.join(self.dataset_names())}"
            )
        if dataset is not None:
            overrides["dataset"] = dataset
        return self.changed({"overrides": overrides, "seeds": self.seeds if seeds is None else tuple(seeds)})

    def changed(self, changes: dict[str, Any]) -> Self:
        """The design with other values; DesignError says in one line what is wrong."""
        try:
            return type(self).model_validate(self.model_dump() | changes)
        except (ValidationError, ConfigError) as error:
            reason = first_reason(error, type(self))[1] if isinstance(error, ValidationError) else str(error)
            raise DesignError(f"{self.name}: {reason}") from None

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of all but the seeds: adding blocks makes the same study larger."""
        covered = cast("dict[str, object]", identity.lasting(self))
        return identity.sha256({name: _portable(value) for name, value in covered.items() if name != "seeds"})

    def to_yaml(self) -> str:
        """The design as a file that gives it again."""
        content = self.model_dump(mode="json", exclude_none=True)
        # Fields that came later are left out while they say nothing: so earlier versions read it, too.
        silent = [name for name, default in identity.later_defaults(type(self)).items() if getattr(self, name) == default]
        shown = {name: value for name, value in content.items() if name not in silent}
        return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)

    def trials(self, data: Mapping[str, str]) -> list[Trial]:
        """What is to run, block by block, so that an interrupted study has complete blocks; `data` has the digest of each data set."""
        names = self.called()
        return [
            Trial(config, name if len(data) == 1 else f"{name}, data {dataset_name(dataset)}", digest)
            for seed in self.seeds
            for dataset, digest in data.items()
            for name, config in zip(names, self.configs(dataset, seed), strict=True)
        ]


def _without_name(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != NAME}


def _portable(value: object) -> object:
    """Without the folders of what is the user's own."""
    if isinstance(value, Mapping):
        return {name: _portable(held) for name, held in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list):
        return [_portable(held) for held in cast("list[object]", value)]
    return dataset_name(value) if isinstance(value, str) and anchored(value) == value else value


def _anywhere(config: RunConfig) -> RunConfig:
    """The same, wherever its code lies: what configurations are told apart by."""
    if not config.references():
        return config
    named = {
        name: own_code.name(value)
        for name in ("network", "regulariser")
        if own_code.is_reference(value := getattr(config, name))
    }
    return config.model_copy(update={**named, "own_code": ""})


def described(design: Design) -> str:
    """The size of a study in words."""
    cells, data = len(design.cells()), f" × {len(design.datasets)} data sets" if design.datasets else ""
    return f"{plural(cells, 'configuration')}{data} × {plural(len(design.seeds), 'seed')}"
