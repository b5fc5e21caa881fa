"""What a person sees in Chromium: four runs in MLflow's own UI, and the report that needs no network."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import mlflow
import pytest
from axe_core_python.selenium import Axe
from conftest import ROOT, Reported, use_store
from mlflow.entities import Run
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from analysis.commands import cli
from analysis.judging import findings
from analysis.reading import query
from analysis.reading.query import Wanted
from analysis.reading.records import snapshot
from analysis.reports import note
from benchmarks import many
from regstudy.console import invocation
from regstudy.design import design_file
from regstudy.schema import CONTACT_SHEET_KEY, Artifact, Summary, Tag
from regstudy.study import coordinator, plan

pytestmark = pytest.mark.browser
T = TypeVar("T")

DESIGN = """\
name: mine
about: Does it work?
overrides: {epochs: 1, dataset: mnist-5k}
configurations: [{l1: 0}, {l1: 0.001}]
seeds: 2
claims:
  - id: better
    text: L1 is better
    contrasts:
      - {metric: endpoint/test_accuracy, of: {l1: 0.001}, against: {l1: 0}, expect: higher, margin: 0.05}
"""
SECONDS = 180
"""How long a page may take on a machine that trains meanwhile."""

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1600,1200",
]
SECTION = "[data-testid=experiment-view-compare-runs-section-header]"
CARD = "[data-testid=experiment-view-compare-runs-card]"


class Page:
    """Chromium with explicit waits. React replaces elements at any time: what went stale is looked for again."""

    def __init__(self, driver: Chrome, screenshots: Path) -> None:
        self.driver, self.screenshots = driver, screenshots

    def until(self, condition: Callable[[], T]) -> T:
        wait = WebDriverWait(self.driver, SECONDS, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda _: condition())

    def shown(self, selector: str, text: str = "") -> list[WebElement]:
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [element for element in found if element.is_displayed() and text in element.text]

    def see(self, text: str, selector: str = "body") -> WebElement:
        return self.until(lambda: self.shown(selector, text))[0]

    def see_image(self, selector: str, in_section: str = "") -> WebElement:
        """An image that has not only been asked for, but loaded."""
        script = "return arguments[0].complete && arguments[0].naturalWidth > 0"

        def loaded() -> list[WebElement]:
            self.scroll_to(in_section)
            return [image for image in self.shown(selector) if self.driver.execute_script(script, image)]

        return self.until(loaded)[0]

    def scroll_to(self, in_section: str) -> None:
        """MLflow draws a section of charts only when it is in sight, which moves those below it: no more of it is drawn, nor its images loaded."""
        headers = [header for header in self.shown(SECTION, in_section) if section(header) == in_section]
        self.driver.execute_script("arguments[0]?.scrollIntoView()", *headers)

    def see_chart(self, name: str, in_section: str, runs: list[Run]) -> WebElement:
        def scroll_and_find() -> list[WebElement]:
            self.scroll_to(in_section)
            return [card for card in self.shown(CARD, name) if all(str(run.info.run_name) in card.text for run in runs)]

        return self.until(scroll_and_find)[0]

    def save(self, name: str) -> None:
        assert self.driver.save_screenshot(str(self.screenshots / f"{name}.png"))


def section(header: WebElement) -> str:
    """What precedes the number of charts."""
    return header.text.partition("\n")[0]


REPORTS = sorted(Path(__file__).parents[2].joinpath("results").glob("*/report/report.html"))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Debian's, with a profile of its own, which finds no host but this one."""
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}/profile"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with Chrome(options, ChromeService("/usr/bin/chromedriver")) as driver:
        driver.set_script_timeout(120)  # axe reads every element, beside other tests
        yield driver


@pytest.fixture
def page(chromium: Chrome, tmp_path: Path) -> Iterator[Page]:
    """A tab of its own, so that nothing is emulated in it; what was logged before is gone."""
    screenshots = Path(os.environ.get("REGSTUDY_SCREENSHOTS", tmp_path))
    screenshots.mkdir(parents=True, exist_ok=True)
    first = chromium.current_window_handle
    chromium.switch_to.new_window("tab")
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    yield Page(chromium, screenshots)
    chromium.close()
    chromium.switch_to.window(first)


@pytest.fixture(scope="module")
def runs(trained_once: Path) -> list[Run]:
    return list(mlflow.MlflowClient(f"sqlite:///{trained_once}/mlflow.db").search_runs(["0"]))


@pytest.fixture(scope="module")
def server(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `mlflow ui` on a copy of the store, which holds a study of its runs too, described as its report does it."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(trained_once / "mlflow.db", folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        run_id = coordinator.run(plan.make(design_file.parse(DESIGN, "mine"), None), coordinator.How("here", 1, 1))
        text = note.of_study(findings.find(query.read(Wanted(study="mine"))))
        mlflow.MlflowClient().set_tag(run_id, "mlflow.note.content", text)
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    settings = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    env = os.environ | settings | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        assert answers(f"http://127.0.0.1:{port}/health", process), (folder / "log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(SECONDS)


@pytest.fixture(scope="module")
def experiment(server: str) -> str:
    """Beginning of the addresses of its runs."""
    return f"{server}/#/experiments/0/runs"


def answers(address: str, process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return True
        except OSError:
            time.sleep(0.2)
    return False


@pytest.fixture(scope="module")
def report(reported: Reported) -> str:
    """The address of a report."""
    return (reported.report / "report.html").as_uri()


@pytest.fixture(scope="module")
def gallery(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a gallery's page."""
    folder = tmp_path_factory.mktemp("gallery")
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_store(folder, trained_once / "mlflow.db", monkeypatch)
        assert cli.main(["gallery", "--output", "gallery.html"]) == 0
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    return (folder / "gallery.html").as_uri()


def test_the_link_that_is_printed_opens_the_list_of_runs_named_by_what_was_varied(page, server, runs):
    page.driver.get(invocation.training_runs(server, "0"))
    for run in runs:
        link = page.see(run.info.run_name, f"a[href$='/runs/{run.info.run_id}']")
        called = "L1 0.001" if float(run.data.params["l1"]) else "none"
        assert link.text.startswith(f"{called} · seed {run.data.params['seed']}")
    page.save("run_list")


def test_a_studys_page_opens_with_its_verdicts_and_its_ranking(page, server, experiment):
    page.driver.get(invocation.training_runs(server, "0"))
    address = page.see("study mine", "a").get_attribute("href")
    page.driver.get(address)
    page.see("Show more", "button").click()
    assert page.see("L1 is better", "td").is_displayed()
    assert page.see("95% interval", "th").is_displayed()
    assert "test accuracy (%)" in page.see("configuration", "table").text
    page.save("study")


def test_an_experiment_says_what_is_in_it(page, server):
    page.driver.get(invocation.training_runs(server, "0"))
    page.see("Training runs of regstudy, each one configuration with one seed")
    page.save("experiment")


def test_the_charts_of_all_runs_begin_with_the_endpoint_and_end_with_what_was_chosen_by_its_result(page, experiment, runs):
    page.driver.get(f"{experiment}?workflowType=machine_learning&compareRunsMode=CHART")
    expected = {name.partition("/")[0] for run in runs for name in run.data.metrics}
    assert expected >= {"train", "test", "time", "probabilities"}
    page.until(lambda: {section(header) for header in page.shown(SECTION)} >= expected)
    shown = [name for header in page.shown(SECTION) if (name := section(header)) in expected]
    assert (shown[0], shown[-1]) == ("endpoint", "with_hindsight")
    page.save("charts")
    page.see_chart(Summary.ENDPOINT_TEST_ACCURACY, "endpoint", runs)
    page.save("charts_endpoint")


def test_the_page_of_a_run_describes_it_and_says_how_to_repeat_it(page, experiment, runs):
    page.driver.get(f"{experiment}/{runs[0].info.run_id}")
    page.see("Show more", "button").click()  # MLflow shows the first lines only
    page.see("Show less", "button")
    assert f"{runs[0].data.metrics[Summary.ENDPOINT_TEST_ACCURACY]:.2%}" in page.see("accuracy, mean of the last", "tr").text
    assert page.see("python -m regstudy train", "pre").text.strip() == runs[0].data.tags[Tag.COMMAND]
    page.save("run")


def test_the_image_view_of_a_run_shows_its_contact_sheet(page, experiment, runs):
    page.driver.get(f"{experiment}/{runs[0].info.run_id}/model-metrics")
    image = f"img[src*='{CONTACT_SHEET_KEY}']"
    # MLflow puts an image whose key has no slash into its last section, "Model metrics".
    page.see_chart(CONTACT_SHEET_KEY, "Model metrics", runs[:1])
    thumbnail = page.see_image(image, "Model metrics")
    page.save("image_view")
    page.driver.execute_script("arguments[0].click()", thumbnail)
    page.see_image(f"{image}[src*='.png']")
    page.save("image_view_enlarged")


def test_the_contact_sheet_is_shown_among_the_artifacts(page, experiment, runs):
    page.driver.get(f"{experiment}/{runs[0].info.run_id}/artifacts/{Artifact.CONTACT_SHEET}")
    page.see_image(f"img[alt='{Artifact.CONTACT_SHEET}']")
    page.save("artifacts")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_the_report_is_whole_without_a_network_at_any_width_in_light_and_dark(page, report, width, scheme):
    driver = page.driver
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(report)
    page.until(lambda: driver.execute_script("return document.readyState === 'complete'"))
    whole = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    (page.screenshots / f"report_{width}_{scheme}.png").write_bytes(base64.b64decode(whole["data"]))

    assert driver.execute_script("return innerWidth") == width
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert driver.execute_script(f"return matchMedia('(prefers-color-scheme: {scheme})').matches")
    assert driver.execute_script(BEYOND_THE_SIDES) == []
    drawings = driver.find_elements(By.CSS_SELECTOR, "svg, [role=img]")
    assert len(drawings) > 20
    assert all(drawing.get_attribute("aria-label") for drawing in drawings)
    driver.execute_script("for (const run of document.querySelectorAll('details')) run.open = true")
    violations = [(found["id"], found["nodes"][0]["html"][:200]) for found in Axe().run(driver)["violations"]]
    assert violations == []
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert {url.partition(":")[0] for url in requests(driver, report)} == {"file", "data"}


BEYOND_THE_SIDES = """
const beside = ({ left, right }) => left < 0 || right > innerWidth;
return [...document.querySelectorAll("nav a")].filter((link) => beside(link.getBoundingClientRect())).map((link) => link.textContent);
"""


TABLE = """<!doctype html><meta charset="utf-8"><div class="scroll"><table id="table-ranking" data-sortable>
<thead><tr><th>configuration</th><th class="number">difference</th></tr></thead>
<tbody><tr><td>=1+1|x</td><td class="number">−0.5 to +0.3</td></tr><tr><td>a_b &amp; c</td><td class="number">−2</td></tr></tbody></table></div>
<script>%s</script>"""
COPIED = {
    "TSV": "configuration\tdifference\n'=1+1|x\t-0.5 to +0.3\na_b & c\t-2",
    "Markdown": "| configuration | difference |\n| --- | ---: |\n| =1+1\\|x | -0.5 to +0.3 |\n| a\\_b & c | -2 |",
    "LaTeX": "\\begin{tabular}{lr}\n\\toprule\nconfiguration & difference \\\\\n\\midrule\n=1+1\\ensuremath{|}x & $-$0.5 to +0.3 \\\\\n"
    "a\\_b \\& c & $-$2 \\\\\n\\bottomrule\n\\end{tabular}",
}


@pytest.mark.parametrize("clipboard", [True, False])
def test_a_table_is_copied_as_text_with_minus_signs_that_programs_read(page, tmp_path, clipboard):
    script = (ROOT / "analysis" / "showing" / "templates" / "report.js").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(TABLE % script, encoding="utf-8")
    driver = page.driver
    driver.get((tmp_path / "page.html").as_uri())
    takes = "async (text) => { window.taken = text; }" if clipboard else "async () => { throw new Error('refused'); }"
    driver.execute_script(
        f"Object.defineProperty(navigator, 'clipboard', {{ value: {{ writeText: {takes} }}, configurable: true }})"
    )
    for name, text in COPIED.items():
        button = driver.find_element(By.CSS_SELECTOR, f"button[aria-label='Copy this table as {name}: ranking']")
        button.send_keys(Keys.ENTER)
        taken = "return window.taken" if clipboard else "return document.querySelector('textarea')?.value"
        page.until(lambda taken=taken, text=text: driver.execute_script(taken) == text)
    if not clipboard:
        selected = "const area = document.activeElement; return area.selectionEnd - area.selectionStart"
        assert driver.execute_script(selected) == len(COPIED["LaTeX"])


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parts[-3])
@pytest.mark.parametrize("width", [400, 768, 1000, 1400])
def test_a_committed_report_fits_any_screen_and_its_figures_can_be_read(page, path, width):
    high = fits(page.driver, path.as_uri(), width)
    if path.parts[-3] == "published" and width == 1400:
        assert high <= EIGHT_SCREENS


def test_a_report_of_400_runs_fits_any_screen(page, tmp_path, monkeypatch):
    """Dealt out from the committed study's."""
    monkeypatch.chdir(tmp_path)
    dealt = many.Dealt(snapshot.load(sorted((ROOT / "results" / "published").glob("blocks-*"))), configurations=20, seeds=20)
    snapshot.write(dealt.runs(), dealt, tmp_path / "snap")
    assert cli.main(["report", "--from", "snap"]) == 0
    for width in (400, 768, 1000, 1400):
        high = fits(page.driver, (tmp_path / "report" / "report.html").as_uri(), width)
        assert width < 1400 or high <= 1.5 * EIGHT_SCREENS


EIGHT_SCREENS = 7_200
"""Pixels, of 900 each."""


def fits(driver: Chrome, address: str, width: int) -> int:
    """How high a page is, folded, in pixels; at this width nothing of it, unfolded, may lie beyond the side, or be too small to read."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(address)
    high = int(driver.execute_script("return document.documentElement.scrollHeight"))
    driver.execute_script("for (const folded of document.querySelectorAll('details:not(.each)')) folded.open = true")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    drawn = driver.execute_script(TEXT_IN_FIGURES)
    assert len(drawn) > 50
    assert [(pixels, text) for pixels, text in drawn if pixels < 10.99] == []
    assert driver.execute_script(WIDER_THAN_ITS_PLACE) == []
    return high


TEXT_IN_FIGURES = """
return [...document.querySelectorAll("svg text")].filter((text) => text.getClientRects().length).map((text) => {
  const onScreen = text.getScreenCTM();
  return [parseFloat(getComputedStyle(text).fontSize) * Math.hypot(onScreen.b, onScreen.d), text.textContent];
});
"""
WIDER_THAN_ITS_PLACE = """
return [...document.querySelectorAll("figure .scroll")].filter((own) => own.scrollWidth > own.clientWidth + 1).map((own) => own.ariaLabel);
"""


def test_the_report_can_be_used_by_keyboard_alone(page, report):
    driver = page.driver
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 1400, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    driver.get(report)
    first_cells = "return [...document.querySelectorAll('#table-ranking tbody tr')].map(row => row.cells[1].textContent)"
    before = driver.execute_script(first_cells)
    heading = driver.find_element(By.CSS_SELECTOR, "#table-ranking th:nth-child(2) button")
    heading.send_keys(Keys.ENTER)
    assert driver.execute_script(first_cells) == sorted(before)
    heading.send_keys(Keys.SPACE)
    assert driver.execute_script(first_cells) == sorted(before, reverse=True)
    assert driver.find_element(By.CSS_SELECTOR, "#table-ranking th[aria-sort=descending]").text.startswith("configuration")

    driver.find_element(By.CSS_SELECTOR, "#luck-contest > summary").send_keys(Keys.ENTER)
    slider, told = (driver.find_element(By.ID, name) for name in ("luck-slider", "luck-told"))
    seen = set()
    for _ in range(12):
        seen.add(told.text.partition(": ")[2])
        drawn = {
            row.get_attribute("data-configuration"): int(row.find_element(By.TAG_NAME, "span").text.split()[0])
            for row in driver.find_elements(By.CSS_SELECTOR, ".luck-row")
        }
        winners = [name for name, wrong in drawn.items() if wrong == min(drawn.values())]
        assert len(winners) > 1 or winners[0] in told.text
        slider.send_keys(Keys.ARROW_RIGHT)
    assert told.text.startswith("Draw 13: ")
    assert len(seen) > 1, "other seeds, other winners"

    image = driver.find_element(By.CSS_SELECTOR, ".gallery-sheet details")
    assert not image.is_displayed()
    driver.execute_script("location.hash = arguments[0]", image.get_attribute("id"))
    page.until(lambda: image.get_attribute("open"))
    assert image.is_displayed(), "its address opens what it is folded into"
    driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not image.get_attribute("open")

    link = driver.find_element(By.CSS_SELECTOR, "#table-runs a")
    driver.find_element(By.CSS_SELECTOR, "details:has(#table-runs) > summary").send_keys(Keys.ENTER)
    place = driver.find_element(By.CSS_SELECTOR, link.get_attribute("hash"))
    assert not place.is_displayed()
    link.send_keys(Keys.ENTER)
    page.until(place.is_displayed)
    assert place.find_element(By.CSS_SELECTOR, ".gallery-image").is_displayed()
    labels = Select(driver.find_element(By.CSS_SELECTOR, ".gallery-filters [data-filter=label]"))
    labels.select_by_index(1)
    shown = [item for item in driver.find_elements(By.CSS_SELECTOR, ".gallery-sheet details") if item.is_displayed()]
    assert {item.get_attribute("data-label") for item in shown} == {labels.first_selected_option.get_attribute("value")}
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_claims_name_opens_what_was_found_of_it(page):
    driver = page.driver
    driver.get((ROOT / "results" / "published" / "report" / "report.html").as_uri())
    claim = driver.find_element(By.CSS_SELECTOR, ".claims a")
    told = driver.find_element(By.CSS_SELECTOR, str(claim.get_attribute("hash")))
    assert not told.is_displayed()
    claim.send_keys(Keys.ENTER)
    page.until(told.is_displayed)
    page.until(lambda: driver.execute_script("return document.querySelector('nav [aria-current]')?.hash") == "#claims")


def test_a_page_runs_its_own_scripts_and_no_other(page, report, gallery):
    driver = page.driver
    for address in (report, gallery):
        driver.get(address)
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        driver.execute_script("for (const folded of document.querySelectorAll('details')) folded.open = true")
        assert driver.find_element(By.CSS_SELECTOR, ".gallery-filters").is_displayed(), "shown by the page's own script"
        image = driver.find_element(By.CSS_SELECTOR, ".gallery-image")
        assert image.value_of_css_property("background-image").startswith('url("data:image/png;base64,')
        assert image.value_of_css_property("background-position") != "", "styled by its attribute"
        driver.execute_script(INTRUDE)
        page.until(lambda: len(driver.execute_script("return window.blocked")) >= 4)
        assert driver.execute_script("return window.intruded") is None
        blocked = set(driver.execute_script("return window.blocked"))
        assert blocked == {"script-src-elem", "script-src-attr", "style-src-elem", "img-src"}
        driver.get_log("browser")  # which says so too


INTRUDE = """
window.blocked = [];
document.addEventListener("securitypolicyviolation", (event) => window.blocked.push(event.effectiveDirective));
for (const [name, text] of [["script", "window.intruded = 1"], ["style", "body { display: none }"]]) {
  const element = document.createElement(name);
  element.textContent = text;
  document.head.append(element);
}
document.body.insertAdjacentHTML("beforeend", "<b onclick='window.intruded = 1'>x</b><img src='http://127.0.0.1:9/x.png'>");
document.body.lastElementChild.previousElementSibling.click();
"""


def test_the_report_prints(page, report):
    driver = page.driver
    driver.get(report)
    pdf = printed(driver)
    (page.screenshots / "report.pdf").write_bytes(pdf)
    assert pdf.startswith(b"%PDF")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = driver.find_elements(By.CSS_SELECTOR, "nav, button:not(thead *), input, select, textarea, .gallery-sheet, .screen")
    assert [element.get_attribute("outerHTML") for element in shown if element.is_displayed()] == []


def test_the_published_report_prints_on_twenty_pages(page):
    page.driver.get((ROOT / "results" / "published" / "report" / "report.html").as_uri())
    assert 5 < printed(page.driver).count(b"/Type /Page\n") <= 20


def printed(driver: Chrome) -> bytes:
    """The page as PDF, on A4."""
    size = {"printBackground": True, "paperWidth": 8.27, "paperHeight": 11.69}
    return base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", size)["data"])


def requests(driver: Chrome, document: str) -> list[str]:
    """What the document asked for; Chromium's own new tab asks for things too."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [request["request"]["url"] for request in sent if request["documentURL"] == document]
