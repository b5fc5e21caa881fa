"""RunConfig: one configuration of one run, validated, immutable, with a digest. Imports neither torch nor mlflow."""

import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from regstudy import identity, own_code
from regstudy.console.terminal import plain
from regstudy.errors import ConfigError


@dataclass(frozen=True)
class Expected:
    """What a field takes, in words, for error messages and documentation."""

    text: str


@dataclass(frozen=True)
class Strength:
    """Marks the field that says how strong a regulariser is, 0 being off; `name` is what the regulariser is called."""

    name: str


def _positive_zero(number: float) -> float:
    return number + 0.0  # -0.0 + 0.0 is 0.0: the two are the same factor and must have the same digest


SEEDS, COUNTS = 2**63, 2**31
"""How many seeds there are, and the largest count: what the generators and the tensors can take."""

THREADS = 1024
"""More is a slip of the pen: a machine may not be able to start them."""

LARGEST = 1e38
"""Of numbers that are multiplied by weights, which have no larger ones."""

NonNegative = Annotated[
    float, Field(ge=0, le=LARGEST, allow_inf_nan=False), AfterValidator(_positive_zero), Expected("a finite number ≥ 0")
]
Positive = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False), Expected("a finite number > 0")]
Fraction = Annotated[
    float, Field(ge=0, lt=1, allow_inf_nan=False), AfterValidator(_positive_zero), Expected("a number ≥ 0 and < 1")
]
Count = Annotated[int, Field(ge=1, le=COUNTS), Expected("a whole number ≥ 1")]
Threads = Annotated[int, Field(ge=1, le=THREADS)]
Natural = Annotated[int, Field(ge=0, le=SEEDS - 1), Expected("a whole number ≥ 0")]

Recipe = Literal["published", "corrected"]
DATASETS = ("auto", "mnist", "fashion-mnist", "mnist-5k", "kmnist", "qmnist", "emnist-letters", "emnist-balanced", "cifar-10")
FOLDER, ARRAYS = "folder:", "arrays:"
"""What the names of data sets begin with that are the user's own files."""

OWN_DATA = f"{FOLDER}PATH, {ARRAYS}FILE.npz, or {own_code.FORMS}"
SQUEEZE_EXPAND = "squeeze-expand"
"""The published network."""


def _or_own(*known: str, kinds: tuple[str, ...] = ()) -> AfterValidator:
    """One of these, something of one of these kinds, or code of the user's own."""

    def check(given: str) -> str:
        of_a_kind = any(given.startswith(kind) and given != kind for kind in kinds)
        if given in known or of_a_kind or own_code.is_reference(given):
            return given
        raise PydanticCustomError("own", "neither known nor of the user's own")

    return AfterValidator(check)


Dataset = Annotated[str, _or_own(*DATASETS, kinds=(FOLDER, ARRAYS)), Expected(f"one of {', '.join(DATASETS)}; {OWN_DATA}")]
Network = Annotated[str, _or_own(SQUEEZE_EXPAND), Expected(f"{SQUEEZE_EXPAND}, or {own_code.FORMS}")]
OwnClass = Annotated[str, _or_own(""), Expected(own_code.FORMS)]
Side = Annotated[int | None, Field(ge=20, le=1024), Expected("a whole number of pixels from 20 to 1,024")]
Pixels = Annotated[int, Field(ge=0, le=1024), Expected("a whole number of pixels, 0 for none")]
Scope = Literal["all", "convolutions"]

RECIPES: dict[str, dict[str, Any]] = {
    "published": {},
    "corrected": {
        "validation_size": 10_000,
        "l1_kind": "proximal",
        "l1_scope": "convolutions",
        "l2_scope": "convolutions",
    },
}
"""What each recipe changes of the fields' defaults; an explicit value goes before the recipe's."""

OF_DATA = frozenset({"image_size", "unreadable", "split_seed"})
"""Fields that decide how the user's images are read, of which the data's own digest tells."""

WHERE_NOT_WHAT = frozenset({"recipe", "data_root", "device", "threads", "images"}) | OF_DATA
"""Fields that say where and under which name a run happens, not which numbers it gives; outside the digest."""

FILLED_IN = frozenset({"own_code"})
"""Fields that nobody gives: they follow from what the others name."""

LONGEST_NAME = 120
"""Characters of a run's name."""

ALWAYS_NAMED = frozenset({"l1", "l2", "seed"}) | WHERE_NOT_WHAT | FILLED_IN | {"dataset"}
"""Fields that a run's name has in its own way, or never."""


class RunConfig(BaseModel, frozen=True, extra="forbid", strict=True):
    """One cell of a study: everything that decides a run's numbers, and where to run it."""

    l1: Annotated[NonNegative, Strength("L1")] = Field(default=0.0, description="L1 factor")
    l2: Annotated[NonNegative, Strength("L2")] = Field(default=0.0, description="L2 factor, applied as weight decay")
    seed: Natural = Field(
        default=0,
        description="random seed, the block that pairs runs: fixes split, initialisation, batch order, augmentation and dropout",
    )
    epochs: Count = Field(default=40, description="passes over the training images")
    recipe: Recipe = Field(
        default="published", description="named defaults: the study to the letter, or as the literature means it"
    )
    dataset: Dataset = Field(default="auto", description="data set; auto: MNIST if it is there or can be had, else mnist-5k")
    data_root: str | None = Field(default=None, description="folder with the data sets (REGSTUDY_DATA goes before it)")
    batch_size: Count = Field(default=128, description="images per optimiser step; the last, smaller batch is kept")
    lr: Positive = Field(default=0.025, description="learning rate; of one-cycle, its highest")
    momentum: Fraction = Field(default=0.9, description="momentum of SGD; β₁ of AdamW")
    schedule: Literal["constant", "step", "cosine", "one-cycle"] = Field(
        default="constant", description="of the learning rate; step: ×0.1 every 6 epochs"
    )
    dropout: Fraction = Field(default=0.05, description="probability that an activation is dropped")
    augmentation: Literal["jitter-rotate", "none"] = Field(
        default="jitter-rotate", description="of training images: brightness and contrast ±10%, rotation ±7°"
    )
    validation_size: Natural = Field(default=0, description="training images held out, stratified by label")
    l1_kind: Literal["mean", "sum", "proximal"] = Field(
        default="mean",
        description="mean: Σ of per-tensor mean|w| (published); sum: λ·Σ|w|; proximal: soft threshold after the step",
    )
    l1_scope: Scope = Field(default="all", description="parameters that L1 acts on")
    l2_scope: Literal["all", "convolutions", "weights"] = Field(
        default="all", description="parameters that L2 and weight decay act on; weights: neither normalisation nor biases"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="where to compute; auto: CUDA, MPS, else CPU"
    )
    threads: Threads | None = Field(
        default=None, description="CPU threads; default: all cores, shared out among the runs at work"
    )
    network: Network = Field(default=SQUEEZE_EXPAND, description="what is trained: the published network, or your own")
    optimizer: Literal["sgd", "adamw"] = Field(default="sgd", description="optimiser")
    elastic_net: Annotated[NonNegative, Strength("elastic net")] = Field(
        default=0.0, description="λ of both penalties together, beside l1 and l2 in their kinds and scopes"
    )
    elastic_net_ratio: Annotated[float, Field(ge=0, le=1), AfterValidator(_positive_zero), Expected("a number from 0 to 1")] = (
        Field(default=0.5, description="share of the elastic net's λ that is L1's; the rest is L2's")
    )
    group_lasso: Annotated[NonNegative, Strength("group lasso")] = Field(
        default=0.0, description="λ of √size · norm of each kernel, proximal: kernels become exactly zero"
    )
    weight_decay: Annotated[NonNegative, Strength("weight decay")] = Field(
        default=0.0, description="decoupled from the gradient, as AdamW's; per unit of learning rate"
    )
    label_smoothing: Annotated[Fraction, Strength("label smoothing")] = Field(
        default=0.0, description="share of each target that is spread over all classes"
    )
    spatial_dropout: Annotated[Fraction, Strength("spatial dropout")] = Field(
        default=0.0, description="probability that a whole channel is dropped, after each block of the squeeze-expand network"
    )
    mixup: Annotated[NonNegative, Strength("mixup")] = Field(
        default=0.0, description="α of the Beta distribution by whose draws pairs of images are mixed"
    )
    cutout: Annotated[Pixels, Strength("cutout")] = Field(
        default=0, description="side of the square that is blanked in each training image"
    )
    gradient_noise: Annotated[NonNegative, Strength("gradient noise")] = Field(
        default=0.0, description="η: noise of variance η / (1 + step)^0.55 is added to gradients"
    )
    max_norm: Annotated[NonNegative, Strength("max-norm")] = Field(
        default=0.0, description="largest norm of the weights into a unit; 0: any"
    )
    ema: Annotated[Fraction, Strength("EMA")] = Field(
        default=0.0, description="decay of the weights' moving average, which is what is evaluated and kept; 0: none"
    )
    regulariser: OwnClass = Field(default="", description="a regulariser of your own, a class that is called with its strength")
    strength: Annotated[NonNegative, Strength("own regulariser")] = Field(
        default=0.0, description="strength of your own regulariser"
    )
    image_size: Side = Field(
        default=None,
        description="side in pixels of your own images; default: as they are, or the median of their shorter sides",
    )
    unreadable: Literal["refuse", "skip"] = Field(
        default="refuse", description="what to do with files of a folder that cannot be read as images"
    )
    split_seed: Natural = Field(
        default=0, description="draws the test images from your own, where the folder has no test/; the same for all blocks"
    )
    images: Literal["all", "none"] = Field(
        default="all", description="whether pictures of images go into the store; none: numbers only"
    )
    own_code: str = Field(default="", description="SHA-256 of the code of your own that is named above; filled in")

    @model_validator(mode="before")
    @classmethod
    def _fill_in_recipe(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        values = cast("dict[str, Any]", given)
        recipe = values.get("recipe", "published")
        changes = RECIPES.get(recipe, {}) if isinstance(recipe, str) else {}
        return {**changes, **values}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        reason = next((text for text in self._conflicts() if text), None)
        if reason:
            raise PydanticCustomError("together", "{reason}", {"reason": reason})
        return self

    def _conflicts(self) -> Iterator[str]:
        """What cannot be asked for at once, each beginning with a field's name."""
        proximal = [
            name
            for name, on in (
                ("l1_kind", self.l1_kind == "proximal" and self.l1_factor > 0),
                ("group_lasso", self.group_lasso > 0),
            )
            if on
        ]
        if proximal and self.optimizer == "adamw":
            value = plain(getattr(self, proximal[0]))
            yield f"{proximal[0]}: expected one that goes with optimizer adamw, whose step sizes differ by weight, so that no threshold is right, got {value}: choose sgd, or another"
        if self.strength and not self.regulariser:
            yield f"strength: expected 0 where no regulariser of your own is named, got {plain(self.strength)}: name it, --regulariser MODULE:CLASS"
        if self.network != SQUEEZE_EXPAND:
            for name in ("spatial_dropout", "dropout"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    yield f"{name}: is of the squeeze-expand network, got {plain(getattr(self, name))} with network {self.network}: your own has its own dropout"

    @property
    def l1_factor(self) -> float:
        """λ of L1, the elastic net's share included."""
        return self.l1 + self.elastic_net * self.elastic_net_ratio

    @property
    def l2_factor(self) -> float:
        """λ of L2, the elastic net's share included."""
        return self.l2 + self.elastic_net * (1 - self.elastic_net_ratio)

    def resolved(self, dataset: str) -> Self:
        """The same on a data set that was found, with the code of the user's own read: what has a digest."""
        if not self.references():
            return self.model_copy(update={"dataset": dataset, "own_code": ""})
        own = {name: anchored(value) for name, value in (("network", self.network), ("regulariser", self.regulariser))}
        return self.model_copy(update={"dataset": dataset, **own, "own_code": own_code.digest(self.references())})

    def references(self) -> list[str]:
        """The user's own code that decides the run's numbers: of a regulariser that is off, none."""
        return own_code.among([self.network, self.regulariser if self.strength else ""])

    @classmethod
    def from_text(cls, given: dict[str, str]) -> Self:
        """Build from text, as a command line gives it; ConfigError says in one line what is wrong. Empty text for an optional field: not given."""
        unknown = sorted(set(given) - set(cls.model_fields))
        if unknown:
            raise ConfigError(f"unknown parameter {unknown[0]!r}: expected one of {', '.join(cls.model_fields)}")
        present = {name: text for name, text in given.items() if text or cls.model_fields[name].default is not None}
        try:
            config = cls.model_validate_strings(present, strict=False)
        except ValidationError as error:
            raise ConfigError(_in_words(error)) from None
        for name, text in present.items():
            if _is_misread(text, getattr(config, name)):
                raise ConfigError(f"{name}: expected {expected(name)}, got {quoted(text)}")
        return config

    def changed(self, **values: Any) -> Self:
        """The configuration with other values; what its recipe leaves to defaults follows the recipe. ConfigError says in one line what is wrong."""
        unknown = sorted(set(values) - set(type(self).model_fields))
        if unknown:
            raise ConfigError(f"unknown parameter {unknown[0]!r}: expected one of {', '.join(type(self).model_fields)}")
        try:
            return type(self).model_validate(self.overrides() | values)
        except ValidationError as error:
            raise ConfigError(_in_words(error)) from None

    @classmethod
    def from_record(cls, text: str) -> Self:
        """Build from a run's tag; ConfigError where it is damaged, or holds what this version does not know."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(f"the configuration that the run holds is none of this version: {_of_record(error)}") from None

    def identity(self) -> dict[str, Any]:
        """The fields that decide the run's numbers."""
        return self.model_dump(exclude=set(WHERE_NOT_WHAT))

    def canonical_json(self) -> str:
        """All fields as JSON, in one spelling: sorted keys, no spaces."""
        return identity.canonical(self.model_dump())

    def digest(self) -> str:
        """SHA-256, in hex, of what decides the run's numbers (not of device, threads, paths, or the recipe's name); identity.py says for how long."""
        return identity.sha256(self._lasting())

    def configuration_digest(self) -> str:
        """SHA-256, in hex, of the configuration without its seed: runs that share it are replicates."""
        return identity.sha256({name: value for name, value in self._lasting().items() if name != "seed"})

    def overrides(self) -> dict[str, Any]:
        """Fields that differ from their recipe's defaults; the shortest arguments that give this configuration again."""
        defaults = type(self)(recipe=self.recipe)
        return {
            name: value for name, value in self.model_dump().items() if value != getattr(defaults, name) or name == "recipe"
        }

    def run_name(self, called: str = "") -> str:
        """The configuration in a line: what it is called and the seed first, since MLflow's lists cut names; other fields where they are not the recipe's."""
        on = {words: getattr(self, name) for name, words in strengths().items() if getattr(self, name)}
        given = {name: value for name, value in self.overrides().items() if name not in ALWAYS_NAMED | strengths().keys()}
        others = [f"{name} {plain(dataset_name(value) if isinstance(value, str) else value)}" for name, value in given.items()]
        factors = [f"{words} {plain(value)}" for words, value in on.items()]
        recipe = [] if self.recipe == "published" else [self.recipe]
        dataset = [] if self.dataset == "mnist" else [dataset_name(self.dataset)]
        first = called or " + ".join(factors) or "none"
        more = [part for part in (*factors, *others, *recipe, *dataset) if part not in first]
        name = " · ".join([first, f"seed {self.seed}", *more])
        return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"

    def _lasting(self) -> dict[str, object]:
        if self.dataset == "auto":
            raise ConfigError("dataset is still 'auto': a configuration has a digest once its data set is resolved")
        if self.references() and not self.own_code:
            raise ConfigError(
                f"{self.references()[0]} has not been read: a configuration has a digest once its own code is resolved"
            )
        anywhere = {
            "dataset": dataset_name(self.dataset),
            "network": _without_folder(self.network),
            "regulariser": _without_folder(self.regulariser) if self.strength else "",
        }
        named = self.model_copy(update=anywhere)
        covered = cast("dict[str, object]", identity.lasting(named))
        return {name: value for name, value in covered.items() if name not in WHERE_NOT_WHAT}


def anchored(text: str, folder: Path | None = None) -> str:
    """A data set or code of the user's, as whoever is in another folder than this (None: where the user is) names it; other text as it is."""
    for kind in (FOLDER, ARRAYS):
        if text.startswith(kind):
            return f"{kind}{((folder or Path()) / own_code.expanded(text.removeprefix(kind))).absolute()}"
    return own_code.absolute(text, folder) if own_code.is_reference(text) else text


def dataset_name(dataset: str) -> str:
    """A data set's name, wherever its files lie: a folder's or a file's own name of a path. What is in it, its digest tells."""
    kind = next((kind for kind in (FOLDER, ARRAYS) if dataset.startswith(kind)), "")
    return kind + PurePath(dataset.removeprefix(kind)).name if kind else _without_folder(dataset)


def _without_folder(reference: str) -> str:
    return own_code.name(reference) if own_code.is_reference(reference) else reference


def strengths() -> dict[str, str]:
    """The fields that say how strong a regulariser is, in their order, with what each is called."""
    marks = {
        name: [mark for mark in field.metadata if isinstance(mark, Strength)] for name, field in RunConfig.model_fields.items()
    }
    return {name: found[0].name for name, found in marks.items() if found}


def expected(name: str) -> str:
    """What the field takes, in words."""
    field = RunConfig.model_fields[name]
    words = [item.text for item in field.metadata if isinstance(item, Expected)]
    if words:
        return words[0]
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    if choices:
        return "one of " + ", ".join(choices)
    return f"a whole number from 1 to {THREADS:,}" if name == "threads" else "a folder"


def _in_words(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["type"] == "together":
        return first["msg"]
    name = str(first["loc"][0])
    limit = ""
    if first["type"] in {"less_than_equal", "int_parsing_size"}:
        wanted = expected(name)
        limit = f", at most {_largest(name):,}" if wanted.startswith("a whole number ≥") else ""
        limit = f", at most {LARGEST:g}" if wanted.startswith("a finite number") else limit
    return f"{name}: expected {expected(name)}{limit}, got {quoted(first['input'])}"


def _is_misread(text: str, value: object) -> bool:
    """Python takes 1_0 for 10, and 1e-400 for 0."""
    if not isinstance(value, (int, float)):
        return False
    mantissa = text.lower().partition("e")[0]
    return "_" in text or (value == 0 and any(digit in mantissa for digit in "123456789"))


def quoted(value: object) -> str:
    """A value as it was given, and of a long one its ends."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 80
    return short.repr(value)


def _of_record(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first["loc"] else first["msg"]


def _largest(name: str) -> int:
    return COUNTS if expected(name) == "a whole number ≥ 1" else SEEDS - 1
