"""Design files: YAML to a `Design`; a mistake is named by file, line, field and what was expected.

A design is one YAML file: a shipped one by its name (designs/), or anybody's own by its path.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from regstudy.design import plain_yaml
from regstudy.design.design import Design
from regstudy.design.fields import Place
from regstudy.design.reasons import first_reason
from regstudy.errors import ConfigError, DesignError

Model = TypeVar("Model", bound=BaseModel)
SHIPPED = Path(__file__).parent / "designs"


@dataclass(frozen=True)
class Places:
    """Where in a file its fields stand: the context in which a model is validated, for what is found wrong later."""

    file: str
    tree: yaml.Node | None

    def said(self, place: Place) -> str:
        """File, line and field, as a message begins."""
        return f"{self.file}, line {_line(self.tree, place)}: {'.'.join(str(part) for part in place)}"


def shipped() -> list[str]:
    """Names of the designs that come with regstudy."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load(name_or_path: str) -> Design:
    """Read a shipped design by name, or a file, whose folder its relative paths begin at; DesignError names line, field, and what was expected."""
    path = SHIPPED / f"{name_or_path}.yaml" if name_or_path in shipped() else Path(name_or_path)
    expected = f"the path of a YAML file, or one of {', '.join(shipped())}"
    return parse(text_of(path, f"design {name_or_path!r}", expected), str(path)).anchored(path.parent)


def text_of(path: Path, what: str, expected: str) -> str:
    """A file's text; DesignError says why it cannot be one that is read here, or what is missing and what was expected."""
    try:
        if not path.is_file():
            raise DesignError(f"there is no {what} in {Path.cwd()}: expected {expected}")
        return _content(path).decode("utf-8-sig")
    except OSError as error:
        raise DesignError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise DesignError(f"{path}: is not UTF-8 text ({error.reason}): save it as UTF-8") from None


def _content(path: Path) -> bytes:
    """The file's bytes; a file that cannot be a design is not read to its end."""
    most = plain_yaml.MOST_CHARACTERS
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise DesignError(f"{path}: is no design: expected a file of at most {most / 1e6:.0f} MB, got more")
    return content


def parse(text: str, where: str) -> Design:
    """A design from YAML text; `where` is the file's name for messages."""
    return parse_as(Design, text, where, "is no design: expected fields such as name, configurations and seeds")


def parse_as(model: type[Model], text: str, where: str, otherwise: str) -> Model:
    """What a model makes of YAML text; `otherwise` is said of text that has no fields at all."""
    try:
        tree, content = plain_yaml.read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DesignError(f"{where}, line {mark.line + 1 if mark else 1}: is not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise DesignError(f"{where}: is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise DesignError(f"{where}: {otherwise}")
    try:
        return model.model_validate(content, context=Places(where, tree))
    except ValidationError as error:
        place, reason = first_reason(error, model)
        raise DesignError(f"{where}, line {_line(tree, place)}: {reason}") from None
    except ConfigError as error:
        raise DesignError(f"{where}, line {_line(tree, error.place or _blamed(tree, str(error)))}: {error}") from None


def json_schema() -> dict[str, Any]:
    """The JSON schema of design files, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Design.model_json_schema()}


def _blamed(tree: yaml.Node | None, message: str) -> Place:
    """The place of a configuration's field that RunConfig refused; its message starts with the field's name."""
    name = message.partition(":")[0]
    return next((place for place in _places(tree, ()) if place[-1] == name), ())


def _places(node: yaml.Node | None, place: Place) -> Iterator[Place]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value)
            yield from _places(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _places(value, (*place, number))


def _line(node: yaml.Node | None, place: Place) -> int:
    """The line, from 1, of the deepest part of a place that is in the file."""
    line = 0
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            item: yaml.Node = node.value[part]
            line, node = item.start_mark.line, item
    return line + 1
