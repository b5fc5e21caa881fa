"""The report's What if in Chromium: whatever is set, every answer is the one that the analysis gives of exactly these runs, by this margin."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import had_been
import pytest
from axe_core_python.selenium import Axe
from conftest import ROOT
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import analysis as an
from analysis.judging.findings import Findings
from analysis.showing import rendering
from analysis.showing.sections.section import Made, Material
from analysis.showing.sections.stability.what_if import STABILITY
from analysis.showing.words import opening

pytestmark = pytest.mark.browser
TEMPLATES = ROOT / "analysis" / "showing" / "templates"
STUDIES = {
    "published": ("published", 10, ["published"]),
    "published-grown": ("published", 10, ["published", "published-grown"]),
    "published-v2": ("published-v2", 3, ["published-v2"]),
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>What if</title><style>{style}</style>
<main><h1>What if</h1>{section}</main><script>{script}</script></html>"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    profile = f"--user-data-dir={tmp_path_factory.mktemp('chromium')}/profile"
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        profile,
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with Chrome(options, ChromeService("/usr/bin/chromedriver")) as started:
        started.set_script_timeout(120)
        yield started


@cache
def found(study: str) -> Findings:
    name, planned, folders = STUDIES[study]
    snapshots = [path for folder in folders for path in sorted((ROOT / "results" / folder).glob("blocks-*"))]
    return had_been.found_in(an.read(name, snapshots=snapshots, planned=planned))


@cache
def made(study: str) -> Made:
    own = found(study)
    section = STABILITY.make(Material.of(own))
    assert section is not None
    return section


def opened(driver: Chrome, study: str, folder: Path, width: int = 1400) -> None:
    """The section by itself, with the report's own script and style: no whole report has to be written."""
    context = {"section": made(study), "words": found(study).trials.words}
    section = rendering.render("what_if.between.html.j2", context)
    style, script = ((TEMPLATES / f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    (folder / "page.html").write_text(PAGE.format(style=style, section=section, script=script), encoding="utf-8")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get((folder / "page.html").as_uri())


def put(driver: Chrome, slider: str, steps: int) -> None:
    """By the keyboard alone: to the first place, then so many steps."""
    driver.find_element(By.ID, slider).send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * steps)


def shown(driver: Chrome) -> list[str]:
    return [element.text for element in driver.find_elements(By.CSS_SELECTOR, ".what-if dd span")]


def as_answers(texts: list[str], pairs: int) -> list[str]:
    """Lines as they are read, to answers: of a pair the word before its numbers, which are more or fewer images."""
    told = [had_been.as_told(texts[0])]
    for text in texts[1 : 1 + pairs]:
        word = text.partition(" (")[0]
        told.append("worse" if word.endswith(" more") else "better" if word.endswith(" fewer") else word)
    return [*told, *texts[1 + pairs :]]


@pytest.mark.parametrize(
    ("study", "blocks", "tenths"),
    [
        ("published", 10, 10), ("published", 10, 4), ("published", 10, 25), ("published", 9, 17), ("published", 8, 30), ("published", 2, 10),
        ("published-grown", 20, 10), ("published-grown", 14, 20), ("published-grown", 10, 7),
        ("published-v2", 3, 10), ("published-v2", 5, 30), ("published-v2", 4, 1),
    ],
)  # fmt: skip
def test_whatever_is_set_each_answer_is_what_the_analysis_gives_of_these_runs(driver, tmp_path, study, blocks, tenths):
    own = found(study)
    anchor = opening.compared_with(own)
    assert anchor is not None
    names = list(opening.against(own, anchor)["configuration"])
    opened(driver, study, tmp_path)
    reported = shown(driver)
    put(driver, "what-if-firsts", blocks - 2)
    put(driver, "what-if-margin", tenths - 1)
    n, all_of_them = driver.find_element(By.ID, "what-if-n").text, len(own.scores)
    assert n == (f"all {blocks} seeds" if blocks == all_of_them else f"the first {blocks} of {all_of_them} seeds")
    margin = own.endpoint.margin(max(own.scale.margin * tenths / 10, own.scale.unit.least_margin))
    assert driver.find_element(By.ID, "what-if-m").text.startswith(f"{margin}, ")

    told = shown(driver)
    wanted = had_been.found_in(had_been.only(own.trials, sorted(set(own.trials.runs["seed"]))[:blocks], tenths / 10))
    assert as_answers(told, len(names)) == had_been.answers(wanted, anchor, names)

    before, after = as_answers(reported, len(names)), as_answers(told, len(names))
    moved = [row.get_attribute("data-moved") is not None for row in driver.find_elements(By.CSS_SELECTOR, ".what-if > div")]
    assert moved == [one != other for one, other in zip(before, after, strict=True)]
    status = driver.find_element(By.ID, "what-if-told").text
    assert status.startswith(
        f"{sum(moved)} of {len(moved)} answers would differ." if any(moved) else "Every answer is as in this report."
    )
    driver.find_element(By.ID, "what-if-reset").send_keys(Keys.ENTER)
    assert shown(driver) == reported == [row[1] for row in made(study).tables[0].rows]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_it_can_be_read_at_any_width_in_light_and_dark_and_asks_for_nothing(driver, tmp_path, width, scheme):
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    opened(driver, "published", tmp_path, width)
    put(driver, "what-if-firsts", 6)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert driver.find_elements(By.CSS_SELECTOR, "[data-moved]")
    assert [found["id"] for found in Axe().run(driver)["violations"]] == []
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = driver.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert asked == []


def test_without_scripts_the_controls_are_not_shown(driver, tmp_path):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened(driver, "published", tmp_path)
        assert not driver.find_element(By.ID, "what-if-firsts").is_displayed()
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
