"""YAML as far as a file that people write needs it: fields, lists, words, numbers. Whatever a text holds, reading it is quick and takes little memory.

Refuses, as a YAMLError with the place: other tags than those, fields whose names are no words or are there twice, a second document, depth,
aliases that multiply, numbers that are none. Knows nothing of what the fields mean, and opens no file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

MOST_CHARACTERS = 4_000_000
MOST_PARTS = 250_000
"""Names and values once all aliases are filled in: far more than the largest study has."""

DEEPEST = 20
LONGEST_NUMBER = 40
LONGEST_SHOWN = 60

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,59}")
PREFIX = "tag:yaml.org,2002:"
MERGE = PREFIX + "merge"
NUMBERS = {PREFIX + "int": "a whole number", PREFIX + "float": "a number", PREFIX + "bool": "yes or no"}
TAGS = frozenset({*NUMBERS, *(PREFIX + name for name in ("map", "seq", "str", "null"))})

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C, ten times as fast


class _Loader(_Base):
    """The safe loader, to which a date is a word."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag != PREFIX + "timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read(text: str) -> tuple[yaml.Node | None, Any]:
    """The tree, whose nodes know their places, and what it holds; YAMLError says what is wrong, and where."""
    if len(text) > MOST_CHARACTERS:
        raise yaml.YAMLError(f"it has {len(text):,} characters; there may be {MOST_CHARACTERS:,}")
    try:
        _Measure().take_all(text)
        loader: Any = _Loader(text)
        tree: yaml.Node | None = loader.get_single_node()
        for node in _nodes(tree):
            _check(node, loader)
        return tree, None if tree is None else loader.construct_document(tree)
    except UnicodeError as error:
        raise yaml.YAMLError(f"it is no text: {error.args[-1]}") from None


@dataclass
class _Extent:
    """How much a node is, with all that is in it."""

    anchor: str | None
    parts: int = 1
    depth: int = 1


class _Measure:
    """How much a text stands for: known before any of it is made. An alias is as much as what it names."""

    def __init__(self) -> None:
        self._open, self._named, self._documents = [_Extent(None)], dict[str, _Extent](), 0

    def take_all(self, text: str) -> None:
        """Read through the text; YAMLError at the event with which it becomes too much."""
        for event in yaml.parse(text, Loader=_Loader):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            self._take(event)
            if self._documents > 1:
                raise _wrong("a second document begins: one file is one design", event)
            if self._open[-1].parts > MOST_PARTS:
                raise _wrong(f"with all aliases filled in it has more than {MOST_PARTS:,} parts", event)
            if len(self._open) + self._open[-1].depth > DEEPEST:
                raise _wrong(f"it is nested more than {DEEPEST} deep", event)

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open.append(_Extent(event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(self._open.pop())
        elif isinstance(event, yaml.ScalarEvent):
            self._close(_Extent(event.anchor))
        elif isinstance(event, yaml.AliasEvent):
            self._close(self._what_is_named(event))

    def _close(self, ended: _Extent) -> None:
        if ended.anchor is not None:
            self._named[ended.anchor] = ended
        around = self._open[-1]
        around.parts, around.depth = around.parts + ended.parts, max(around.depth, ended.depth + 1)

    def _what_is_named(self, alias: Any) -> _Extent:
        if any(node.anchor == alias.anchor for node in self._open):
            raise _wrong("a part of it contains itself", alias)
        if alias.anchor not in self._named:
            raise _wrong(f"nothing before it is named &{_cut(alias.anchor)}", alias)
        named = self._named[alias.anchor]
        return _Extent(None, named.parts, named.depth)


def _nodes(tree: yaml.Node | None) -> Iterator[yaml.Node]:
    """All nodes that are values, each once."""
    left, seen = [tree] if tree is not None else [], set[int]()
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            left += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            left += node.value


def _check(node: yaml.Node, loader: Any) -> None:
    if node.tag not in TAGS:
        raise _wrong(
            f"it is no place for {_cut(node.tag.replace(PREFIX, '!!'))}, only for fields, lists, words and numbers", node
        )
    if isinstance(node, yaml.MappingNode):
        _check_names(node)
    elif isinstance(node, yaml.ScalarNode) and node.tag in NUMBERS:
        _check_number(node, loader)


def _check_names(node: yaml.MappingNode) -> None:
    """YAML's readers silently keep the last of two equal names."""
    seen: set[str] = set()
    for name, _ in node.value:
        if isinstance(name, yaml.ScalarNode) and name.tag == PREFIX + "bool":
            name.tag = PREFIX + "str"  # YAML 1.1 takes `on` for true; as a name it is a word
        if not isinstance(name, yaml.ScalarNode) or name.tag not in {PREFIX + "str", MERGE}:
            shown = _cut(name.value) if isinstance(name, yaml.ScalarNode) else "a list or fields"
            raise _wrong(f"expected the name of a field, got {shown}", name)
        if name.tag != MERGE and not NAME.fullmatch(name.value):
            raise _wrong(f"expected the name of a field, got {_cut(name.value)!r}", name)
        if name.value in seen:
            raise _wrong(f"{name.value!r} is there twice", name)
        seen.add(name.value)


def _check_number(node: yaml.ScalarNode, loader: Any) -> None:
    if len(node.value) > LONGEST_NUMBER:
        raise _wrong(f"a number may have {LONGEST_NUMBER} characters; this one has {len(node.value):,}", node)
    try:
        yaml.SafeLoader.yaml_constructors[node.tag](loader, node)
    except (ValueError, KeyError, IndexError):
        raise _wrong(f"{node.value!r} is not {NUMBERS[node.tag]}", node) from None


def _wrong(problem: str, where: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
