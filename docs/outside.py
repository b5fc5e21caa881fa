"""For mkdocs: what the pages link to outside docs/ becomes a part of the site.

The project has no address yet that a site could link to. So Markdown outside docs/ becomes a page, a report its HTML, a figure a file; of a link to
anything else that exists only the words are left. A link to what does not exist is left as it is: the strict build refuses it.
"""

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
TAKEN = ("results/README.md", "results/*/report/report.html", "results/*/report/figures/ranking.svg", "benchmarks/*.md")
LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#\s:]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of docs/, and those outside that are taken, each at its path in the repository."""
    for path in sorted(path for pattern in TAKEN for path in ROOT.glob(pattern)):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  # mkdocs gives them by name
    """The page, its links leading to where the site has what they name."""
    here = page.file.src_uri
    stands = dirname(join("docs", here) if (ROOT / "docs" / here).exists() else here)

    def led(link: re.Match[str]) -> str:
        words, target, anchor = link.groups(default="")
        named = normpath(join(stands, target))
        place = named.removeprefix("docs/").replace("/report.md", "/report.html")
        if files.get_file_from_path(place) is not None:
            return f"{words}({relpath(place, dirname(here) or '.')}{anchor})"
        outside = not named.startswith("docs/") and (ROOT / named).exists()
        return words.strip("[]") if outside else link[0]

    return LINK.sub(led, markdown)
