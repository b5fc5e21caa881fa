"""RunConfig: one configuration of one run, validated, immutable, with a digest. Imports neither torch nor mlflow."""

import reprlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from regstudy import identity
from regstudy.console.terminal import plain
from regstudy.errors import ConfigError


@dataclass(frozen=True)
class Expected:
    """What a field takes, in words, for error messages and documentation."""

    text: str


def _positive_zero(number: float) -> float:
    return number + 0.0  # -0.0 + 0.0 is 0.0: the two are the same factor and must have the same digest


SEEDS, COUNTS = 2**63, 2**31
"""How many seeds there are, and the largest count: what the generators and the tensors can take."""

THREADS = 1024
"""More is a slip of the pen: a machine may not be able to start them."""

NonNegative = Annotated[
    float, Field(ge=0, allow_inf_nan=False), AfterValidator(_positive_zero), Expected("a finite number ≥ 0")
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), Expected("a finite number > 0")]
Fraction = Annotated[
    float, Field(ge=0, lt=1, allow_inf_nan=False), AfterValidator(_positive_zero), Expected("a number ≥ 0 and < 1")
]
Count = Annotated[int, Field(ge=1, le=COUNTS), Expected("a whole number ≥ 1")]
Threads = Annotated[int, Field(ge=1, le=THREADS)]
Natural = Annotated[int, Field(ge=0, le=SEEDS - 1), Expected("a whole number ≥ 0")]

Recipe = Literal["published", "corrected"]
Dataset = Literal["auto", "mnist", "fashion-mnist", "mnist-5k"]
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

WHERE_NOT_WHAT = frozenset({"recipe", "data_root", "device", "threads"})
"""Fields that say where and under which name a run happens, not which numbers it gives; outside the digest."""


class RunConfig(BaseModel, frozen=True, extra="forbid", strict=True):
    """One cell of a study: everything that decides a run's numbers, and where to run it."""

    l1: NonNegative = Field(default=0.0, description="L1 factor")
    l2: NonNegative = Field(default=0.0, description="L2 factor, applied as weight decay")
    seed: Natural = Field(default=0, description="block: fixes split, initialisation, batch order, augmentation and dropout")
    epochs: Count = Field(default=40, description="passes over the training images")
    recipe: Recipe = Field(
        default="published", description="named defaults: the study to the letter, or as the literature means it"
    )
    dataset: Dataset = Field(default="auto", description="data set; auto: MNIST if it is there or can be had, else mnist-5k")
    data_root: str | None = Field(default=None, description="folder with the data sets (REGSTUDY_DATA goes before it)")
    batch_size: Count = Field(default=128, description="images per optimiser step; the last, smaller batch is kept")
    lr: Positive = Field(default=0.025, description="learning rate of SGD")
    momentum: Fraction = Field(default=0.9, description="momentum of SGD")
    schedule: Literal["constant", "step"] = Field(default="constant", description="learning rate; step: ×0.1 every 6 epochs")
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
    l2_scope: Scope = Field(default="all", description="parameters that weight decay acts on")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="where to compute; auto: CUDA, MPS, else CPU"
    )
    threads: Threads | None = Field(
        default=None, description="CPU threads; default: all cores, shared out among the runs at work"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_recipe(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        values = cast("dict[str, Any]", given)
        recipe = values.get("recipe", "published")
        changes = RECIPES.get(recipe, {}) if isinstance(recipe, str) else {}
        return {**changes, **values}

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

    def run_name(self) -> str:
        """The configuration in a line: the factors and the seed always, other fields where they are not the recipe's."""
        named = {"l1", "l2", "seed", "recipe", "dataset", "data_root", "device", "threads"}
        others = [f"{name}={plain(value)}" for name, value in self.overrides().items() if name not in named]
        recipe = [] if self.recipe == "published" else [self.recipe]
        dataset = [] if self.dataset == "mnist" else [self.dataset]
        factors = [f"l1={plain(self.l1)}", f"l2={plain(self.l2)}", f"seed={self.seed}"]
        return " ".join(factors + others + recipe + dataset)

    def _lasting(self) -> dict[str, object]:
        if self.dataset == "auto":
            raise ConfigError("dataset is still 'auto': a configuration has a digest once its data set is resolved")
        covered = cast("dict[str, object]", identity.lasting(self))
        return {name: value for name, value in covered.items() if name not in WHERE_NOT_WHAT}


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
    name = str(first["loc"][0])
    limit = (
        f", at most {_largest(name):,}"
        if first["type"] in {"less_than_equal", "int_parsing_size"} and name != "threads"
        else ""
    )
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
