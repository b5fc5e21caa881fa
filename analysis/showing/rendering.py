"""Templates to text: names are escaped in HTML and SVG by the engine, in Markdown by filters; what would act unseen is shown in all three."""

import base64
import hashlib
import re

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from regstudy.console.terminal import plural
from regstudy.console.text import visible

from ..files.rows import csv


def render(template: str, context: dict[str, object]) -> str:
    """A template of this package, filled; a name that the context lacks is an error."""
    environment = Environment(
        loader=PackageLoader(__package__ or "analysis.showing"),
        autoescape=select_autoescape(["html.j2", "svg.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=None if template.endswith(".md.j2") else _shown,  # there, macros give text, newlines and all
    )
    environment.filters |= {
        "md": markdown_text,
        "code": markdown_code,
        "plural": plural,
        "csv": csv,
        "unbroken": unbroken,
        "options": options,
    }
    environment.globals["policy"] = _policy
    return environment.get_template(template).render(context)


def _shown(value: object) -> object:
    """What a template is given: text as it can be shown; what is marked up already has been."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def markdown_text(text: object) -> str:
    """Text that Markdown shows as it is, wherever in a line it stands."""
    escaped = re.sub(r"([\\`*_{}\[\]<>()#+!|~&$@])", r"\\\1", visible(str(text)))
    escaped = re.sub(r"^(\s*)([-=])", r"\1\\\2", escaped)  # a list, or a line under a heading
    escaped = re.sub(r"^(\s*\d+)\.(?=\s|$)", r"\1\\.", escaped)  # a numbered list
    return re.sub(r"(?i)\b(https?|ftp|mailto|xmpp)(:)|\b(www)(\.)", r"\1\3\\\2\4", escaped)  # what becomes a link by itself


def markdown_code(text: object) -> str:
    """Text as a code span, in a fence longer than any in it."""
    shown = visible(str(text))
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def unbroken(text: str) -> str:
    """Text whose lines do not begin with a number: what it belongs to stands before it."""
    return re.sub(r"(?<=\w) (?=\d)", "\u00a0", text)


def options(command: str) -> list[str]:
    """A command's words, an option with its value: what a line is not broken within."""
    return re.findall(r"--?\S+ (?!-)\S+|\S+", command)


def _policy(styles: list[str], scripts: list[str]) -> Markup:
    """A page's Content-Security-Policy: nothing but its own styles and scripts, by their digests, and images that it holds itself.

    Digests are of what the templates hold, not of what a page has become: a script that got into it by a name would not run. Attributes may
    style an element, which figures need and by which nothing can be loaded.
    """
    hashes = [" ".join(f"'sha256-{_hash(text)}'" for text in texts if text) or "'none'" for texts in (styles, scripts)]
    return Markup(  # noqa: S704  # digests, and our own words
        f"default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; script-src {hashes[1]}; style-src-elem {hashes[0]}; "
        "style-src-attr 'unsafe-inline'"
    )


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
