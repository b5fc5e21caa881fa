"""Templates to text: names are escaped in HTML and SVG by the engine, in Markdown by a filter."""

import re

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from regstudy.terminal import plural


def render(template: str, context: dict[str, object]) -> str:
    """A template of this package, filled; a name that the context lacks is an error."""
    environment = Environment(
        loader=PackageLoader("analysis"),
        autoescape=select_autoescape(["html.j2", "svg.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"md": _markdown_text, "plural": plural, "csv": _csv}
    return environment.get_template(template).render(context)


def _markdown_text(text: object) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&])", r"\\\1", str(text).replace("\n", " "))


def _csv(numbers: pd.DataFrame) -> str:
    return numbers.to_csv(index=False)
