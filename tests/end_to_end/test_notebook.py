"""The notebook in the documents, run as it stands."""

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

import analysis as an

pytestmark = pytest.mark.slow


def test_the_notebook_runs(workspace, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pages = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in pages.cells), "committed without output, which would age"
    NotebookClient(pages, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(workspace)}}).execute()
    shown = [output for cell in pages.cells for output in cell.get("outputs", ()) if output.output_type == "execute_result"]
    tables = [output.data["text/html"] for output in shown if "text/html" in output.data]
    assert len(tables) == 9, "all but the numbers and the path show themselves"
    assert "12 done" in tables[3]
    assert all((workspace / "report" / name).is_file() for name in ("report.html", "card.png", "tables/ranking.tex"))
    an.verify("report")
