"""Figures as SVG: in files on white, within HTML in the page's own colours, light or dark."""

import io
import re

from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from regstudy.console.text import visible

from . import plots

SVG_DPI = 72.0
"""As which matplotlib draws SVG: a point is a pixel."""

HASHED = re.compile(r'id="([a-zA-Z](?:\d+_[0-9a-f]+_)?[0-9a-f]{10})"')
VERDICTS = {"#00684a": "supported", "#a33c00": "refuted", "#5a5a5a": "undecided"}
"""The verdicts' colours, and the page's variables of them."""

OF = re.compile(rf' id="{plots.OF}([0-9a-f]*)"')
"""What `plots` marked as drawn of a configuration."""

TITLED = re.compile(rf'<g id="{plots.TITLE}([\d.]+)">.*?</g>\s*', re.S)

STYLE = "*{stroke-linejoin: round; stroke-linecap: butt}"
"""What matplotlib puts into each figure's style element."""

LONG = re.compile(r"-?\d+\.\d{3,}")
"""A coordinate finer than a hundredth of a point, which nobody sees: reports hold thousands."""


def svg(figure: Figure) -> str:
    """A figure as SVG on white, the same bytes each time."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    short = re.sub(r' d="[^"]*"', lambda path: LONG.sub(lambda n: f"{float(n[0]):.2f}", path[0]), buffer.getvalue())
    short = short.replace(' target="_blank"', "")  # what is linked to is in the same page
    return _numbered(OF.sub(_of_configuration, short))


def lay_out(figure: Figure, *, as_svg: bool = False) -> None:
    """Lay a figure out once, for all its files: to matplotlib, one that has an engine still is to be laid out, and drawn, twice for each. `as_svg`: by the widths of its text there."""
    engine = figure.get_layout_engine()
    if engine is None:
        return
    if as_svg:
        figure.set_canvas(FigureCanvasSVG(figure))
        figure.set_dpi(SVG_DPI)
    engine.execute(figure)
    figure.set_layout_engine(None)


def _of_configuration(group: re.Match[str]) -> str:
    name = visible(bytes.fromhex(group[1]).decode())
    return f' data-configuration="{Markup.escape(name)}"'


def _numbered(svg: str) -> str:
    """IDs by their order: matplotlib's are hashes of unrounded coordinates, whose last digits the processor decides."""
    numbers = {name: f"{name[0]}{place}" for place, name in enumerate(dict.fromkeys(HASHED.findall(svg)))}
    return re.sub(r'(id="|url\(#|href="#)([^")]+)', lambda use: use[1] + numbers.get(use[2], use[2]), svg)


def inline(svg: str, name: str, alt: str, *, titled: bool = True) -> Markup:
    """For HTML: without the XML prologue, with IDs that begin with `name`, described for screen readers, in the page's ink on the page's paper; `titled`: with its title."""
    svg = svg[svg.index("<svg") :] if titled else _untitled(svg[svg.index("<svg") :])
    svg = re.sub(r'( id="|url\(#|href="#(?!image-))', rf"\g<1>{name}-", svg)
    svg = svg.replace(plots.INK, "var(--ink)").replace("#ffffff", "var(--paper)")
    for colour in plots.SERIES:
        svg = re.sub(colour, f"var({_variable(colour)})", svg, flags=re.IGNORECASE)
    for colour, verdict in VERDICTS.items():
        svg = re.sub(colour, f"var(--{verdict})", svg, flags=re.IGNORECASE)
    role = "group" if 'href="#image-' in svg else "img"  # an image has no links within
    described = f'role="{role}" aria-label="{Markup.escape(visible(alt))}"'
    return Markup(re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', lambda m: f'<svg viewBox="{m[1]}" {described}>', svg, count=1))  # noqa: S704  # matplotlib has escaped its texts


def _untitled(svg: str) -> str:
    """Without the title, and without its room."""
    title = TITLED.search(svg)
    if title is None:
        return svg
    top = float(title[1])
    box = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
    return box.sub(lambda had: f'viewBox="0 {top:g} {had[1]} {float(had[2]) - top:g}"', svg.replace(title[0], ""), count=1)


def nested(svg: str, width: float) -> tuple[Markup, float]:
    """For a place within another SVG: scaled to this width; with the height that it then has."""
    opening = re.search(r'<svg [^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>', svg)
    if opening is None:
        raise ValueError("expected an SVG with a viewBox from 0 0")
    height = round(width * float(opening[2]) / float(opening[1]))
    tag = f'<svg width="{width:g}" height="{height}" viewBox="0 0 {opening[1]} {opening[2]}">'
    return Markup(tag + svg[opening.end() :]), height  # noqa: S704  # matplotlib has escaped its texts


def series_css() -> str:
    """The series' colours as variables, lighter on dark paper where they would not stand out."""
    light = {_variable(colour): colour for colour in plots.SERIES}
    dark = {_variable(colour): lighter for colour, lighter in plots.SERIES.items()}
    rules = [" ".join(f"{name}: {colour};" for name, colour in colours.items()) for colours in (light, dark, light)]
    return f":root {{ {rules[0]} }} @media (prefers-color-scheme: dark) {{ :root {{ {rules[1]} }} }} @media print {{ :root {{ {rules[2]} }} }}"


def _variable(colour: str) -> str:
    return f"--series-{colour[1:].lower()}"
