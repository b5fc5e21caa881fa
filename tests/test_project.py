"""MLproject ⊂ configuration = command line = documentation; one list of dependencies; no stray names."""

import importlib
import pkgutil
import re
import subprocess
import tomllib

import pytest
import yaml
from conftest import ROOT

from benchmarks import tracking_cost
from regstudy.commands.cli import parser
from regstudy.config import FILLED_IN, RECIPES, RunConfig, expected
from regstudy.errors import ConfigError
from regstudy.schema import DESIGN_FILE, STORED_AS, Artifact, Metric, PerConfiguration, Progress, Summary, Tag

PROJECT = yaml.safe_load((ROOT / "MLproject").read_text())


GIVEN = [name for name in RunConfig.model_fields if name not in FILLED_IN]


def read(name: str) -> str:
    return (ROOT / name).read_text()


def test_mlproject_declares_fields_with_the_configurations_defaults():
    declared = PROJECT["entry_points"]["main"]["parameters"]
    assert set(declared) <= set(RunConfig.model_fields)
    config = RunConfig.from_text({name: str(field["default"]) for name, field in declared.items()})
    assert config == RunConfig()


def test_mlproject_declares_nothing_that_a_recipe_changes():
    declared = set(PROJECT["entry_points"]["main"]["parameters"])
    assert not declared & {name for changes in RECIPES.values() for name in changes}


def test_mlproject_hands_every_declared_parameter_to_an_option():
    command = PROJECT["entry_points"]["main"]["command"]
    for name in PROJECT["entry_points"]["main"]["parameters"]:
        assert f"--{name.replace('_', '-')}={{{name}}}" in command


def test_the_command_line_has_exactly_the_fields():
    options = vars(parser().parse_args(["train", *(f"--{name.replace('_', '-')}=x" for name in GIVEN)]))
    assert list(options) == ["command", "json", "system_metrics", *GIVEN]


def test_the_documentation_lists_exactly_the_fields():
    rows = re.findall(
        r"^\| `--([a-z0-9-]+)` \| `([a-z0-9_]+)` \| (.*?) \| (.*?) \| (.*) \|$", read("docs/guides/configuration.md"), re.M
    )
    documented = {name: (option, takes, default, about) for option, name, takes, default, about in rows}
    fields = {
        name: (
            name.replace("_", "-"),
            expected(name),
            "" if field.default in {None, ""} else f"`{field.default}`",
            str(field.description).replace("|", "\\|"),
        )
        for name, field in RunConfig.model_fields.items()
        if name in GIVEN
    }
    assert documented == fields


def test_the_documented_recipes_are_the_recipes():
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|$", read("docs/guides/configuration.md"), re.M)
    published, corrected = RunConfig(), RunConfig(recipe="corrected")
    assert {name: (p, c) for name, p, c in rows} == {
        name: (str(getattr(published, name)), str(getattr(corrected, name))) for name in RECIPES["corrected"]
    }


def test_the_documentation_lists_exactly_the_names_of_the_store():
    documented = set(re.findall(r"`([a-z0-9_]+[/.][a-z0-9_{}./]+)`", read("docs/guides/runs.md")))
    names = {
        STORED_AS.get(name, name.value)
        for kind in (Metric, Summary, Progress, PerConfiguration, Tag, Artifact)
        for name in kind
    }
    assert (
        documented - {"weights.safetensors", "regstudy.training.network.SqueezeExpandNet"}
        == names | {DESIGN_FILE} | STORED_AS.keys()
    )


def test_one_list_of_dependencies():
    assert yaml.safe_load(read("python_env.yaml"))["dependencies"] == ["-r requirements.txt"]
    assert yaml.safe_load(read("conda.yaml"))["dependencies"][-1] == {"pip": ["-r requirements.txt"]}
    reads = tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]
    whole, trains = (re.findall(r"^[a-z].*", read(name), re.M) for name in ("requirements.txt", "requirements-train.txt"))
    assert sorted(whole) == sorted([*reads, *trains, "virtualenv>=20.30"])
    wanted = re.findall(r"^([a-z0-9-]+)", read("requirements.txt"), re.M)
    assert {"torch", "torchvision", "mlflow", "matplotlib", "pandas"} <= set(wanted)
    locked = {re.split("==", line)[0].lower().replace("_", "-") for line in read("constraints.txt").splitlines()}
    developers = re.findall(
        r"^([a-z][a-z0-9-]*)", "".join(read(f"requirements-{name}.txt") for name in ("dev", "ray", "mcp", "trackers")), re.M
    )
    assert set(wanted) | set(developers) <= locked


def test_python_is_pinned_whole_for_mlflow():
    assert re.fullmatch(r"3\.\d+\.\d+", yaml.safe_load(read("python_env.yaml"))["python"])
    assert PROJECT["python_env"] == "python_env.yaml"


def test_every_module_is_in_the_architecture():
    text = read("docs/ARCHITECTURE.md")
    for package in ("regstudy", "analysis"):
        for path in (ROOT / package).glob("*.py"):
            assert path.name.startswith("__") or f"`{path.name}`" in text or f"{path.name}`" in text, path


def test_every_room_is_in_the_wheel():
    rooms = {
        path.parent.relative_to(ROOT) for package in ("regstudy", "analysis") for path in (ROOT / package).rglob("__init__.py")
    }
    names = {".".join(room.parts if room.parts[0] == "regstudy" else ("regstudy", *room.parts)) for room in rooms}
    assert {*tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]["packages"]} == names


def test_no_room_has_more_than_ten_modules():
    folders = {path.parent for package in ("regstudy", "analysis") for path in (ROOT / package).rglob("*.py")}
    crowded = {folder: n for folder in folders if (n := len([*folder.glob("*.py")]) - 1) > 10}
    assert not crowded


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.M))
    for name in ("README.md", "CONTRIBUTING.md"):
        assert set(re.findall(r"`?make ([a-z]+)`?", read(name))) <= targets | {"it"}


def test_every_file_that_the_documents_link_to_exists():
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} → {target}"


def test_committed_files_name_no_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in listed:
        if name != ".ci/run" and (ROOT / name).is_file() and not name.endswith((".png", ".parquet", ".xz")):
            assert "../sha" + "red" not in (ROOT / name).read_text(), name


def test_tests_import_and_replace_public_names_only():
    """Ruff's SLF001 sees `module._name`; this, what it does not."""
    imported, replaced = r"^\s*(?:from \S+ )?import .*\b_[a-z]\w*", r"attr\([^()]*[\"'](?:[\w.]*\.)?_[a-z]\w*[\"']"
    for path in (ROOT / "tests").rglob("*.py"):
        assert re.findall(f"{imported}|{replaced}", path.read_text(), re.M) == [], path


def test_an_unknown_parameter_lists_the_known_ones():
    with pytest.raises(ConfigError, match=", ".join(RunConfig.model_fields)):
        RunConfig.from_text({"bogus": "1"})


def test_what_the_benchmark_times_exists():
    for _, path, _ in tracking_cost.PARTS:
        assert callable(pkgutil.resolve_name(path)), path


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem != "__main__"))
def test_a_benchmark_finds_what_it_imports(name):
    importlib.import_module(f"benchmarks.{name}")
