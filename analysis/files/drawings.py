"""Drawings within a text, for where another library has drawn them: their words alone stay, and it is an error if anything in them could act."""

import re

DRAWING = re.compile(r"(?:<\?xml [^<>]*\?>\s*<!DOCTYPE svg [^<>\[\]]*>\s*)?<svg[\s>].*</svg>\n?", re.DOTALL)
IN_PAGE = re.compile(r"<svg[\s>].*?</svg>", re.DOTALL)
ELEMENTS = "svg|g|path|use|text|tspan|defs|clipPath|rect|circle|line|polyline|polygon|symbol|image|title|metadata|rdf:RDF|cc:Work|dc:\\w+"
INERT = re.compile(
    rf"""
    </(?:{ELEMENTS}|a)\s*>
    | <a(?:\s+xlink:href="\#[\w.-]+")\s*>
    | <style[ ]type="text/css">\*{{[\w\s:;-]*}}</style>
    | <(?:{ELEMENTS})(?:\s+(?:
        (?:xlink:)?href="(?:\#[\w.-]+|data:image/png;base64,[A-Za-z0-9+/=\s]*)"
        | (?:xmlns(?::\w+)?|rdf:resource)="http://(?:www\.w3\.org|purl\.org|creativecommons\.org)/[\w/.\#-]*"
        | aria-label="[^"<>]*"
        | (?!(?i:on|href|xlink|xmlns|src|rdf))[\w:-]+="(?:(?!(?i:url)\((?!\#))[^"<>&\\/@])*"
      ))*\s*/?>
    """,
    re.VERBOSE,
)
"""What shows something and does nothing: no script, no link but within the page, nothing that is loaded."""

DESCRIBED = re.compile(r'aria-label="([^"]*)"')


def in_words(text: str) -> str:
    """A page or drawing with each drawing's words in its place, a line each; ValueError names what acts in one."""
    return (DRAWING if text.startswith(("<?xml ", "<svg")) else IN_PAGE).sub(lambda drawing: _words(drawing[0]), text)


def _words(drawing: str) -> str:
    start = drawing.index("<svg")
    lines: list[str] = []
    end = start
    for tag in INERT.finditer(drawing, start):
        lines += [_text(drawing[end : tag.start()]), *DESCRIBED.findall(tag[0])]
        end = tag.end()
    return "\n".join(line for line in [*lines, _text(drawing[end:])] if line)


def _text(between: str) -> str:
    if "<" in between:
        raise ValueError(
            f"a drawing holds what could act, or what no drawing of ours holds: ‘{between[between.index('<') :][:48]}’"
        )
    return " ".join(between.split())
