"""What would single runs have concluded? Contests of best epochs, beside what the published study reported, and runs against their like."""

import pandas as pd

from ...files.rows import rows as each
from ...judging import published, single_runs
from ...judging.findings import Findings
from ...judging.ranking import Relation
from ...judging.single_runs import BEST, TIED, Contest
from ...reading.trials import TEST_IMAGES
from .. import plots, wording
from ..figures import Drawing, both, by_rank, wide
from ..grids import MOST_CONFIGURATIONS, NONE, Column, Grid, is_number
from .section import Material, Section


def _tables(material: Material) -> list[Grid | None]:
    return [beside_published(material.found), against_itself(material.found)]


def _told(material: Material) -> dict[str, object] | None:
    found = material.found
    if found.contest is None:
        return None
    return {"contest": _drawn_from(found, found.contest), "apart": published.APART if _is_published(found) else ""}


def _drawn_from(found: Findings, contest: Contest) -> dict[str, object]:
    """What the slider draws from: best epochs' wrong test images by configuration and seed."""
    runs = found.trials.runs
    best = wide(runs, BEST)
    names = by_rank(found, runs["configuration"].unique())
    n = int(runs[TEST_IMAGES].iloc[0])
    wrong = {name: [round((1 - value) * n) for value in best[name].dropna()] for name in names}
    return {
        "wrong": {name: values for name, values in wrong.items() if values},
        "test_images": n,
        "leads": f"{contest.clear:.0%}",
    }


def _is_published(found: Findings) -> bool:
    """Whether these are runs of the published study's own design."""
    return found.trials.study is not None and found.trials.study.design.name == published.DESIGN


def _finding(material: Material) -> list[str]:
    contest = material.found.contest
    return [] if contest is None else [f"Single runs: a winner in {contest.clear:.0%} of contests, by two images or more"]


def _contest(material: Material) -> list[Drawing]:
    contest = material.found.contest
    if contest is None:
        return []
    place = {name: row for row, name in enumerate(material.look)}
    table = contest.table.sort_values("configuration", key=lambda names: names.map(place).fillna(len(place)), kind="stable")
    told = ", ".join(f"{row['configuration']} {row['share']:.0%}" for row in each(table))
    caption = f"If each configuration had run once, and its best epoch had counted: how often each would have won. '{TIED}' is an exact tie."
    title = f"One run each: {_who_wins(material.found, table)}"
    subtitle = (
        f"share of contests won; in each, one {material.found.trials.words.block} per configuration, and its best epoch counts"
    )
    shown = _most_won(table)
    if len(shown) < len(table):
        caption += f" The {len(shown) - 1} that win most often are drawn, of {len(table) - 1:,}."
    figure, narrow = both(plots.contest, shown, material.look, title=title, subtitle=subtitle)
    return [Drawing("contest", figure, caption, f"Winners of contests of single runs: {told}.", table, narrow)]


def _most_won(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that a figure has room for, in their order; ties always."""
    ties = table["configuration"] == TIED
    kept = table[~ties].nlargest(MOST_CONFIGURATIONS, "share", keep="first").index
    return table[ties | table.index.isin(kept)]


def _who_wins(found: Findings, table: pd.DataFrame) -> str:
    """Who wins most often: with what is shown to be practically equivalent, between which luck decides; or that it is not shown to be better."""
    shares = {str(row["configuration"]): float(row["share"]) for row in each(table) if row["configuration"] != TIED}
    first = max(shares, key=lambda name: shares[name])
    relation = {frozenset((row["first"], row["second"])): row["relation"] for row in each(found.ranking.pairs)}
    alike = [name for name in shares if relation.get(frozenset((name, first))) == Relation.EQUIVALENT]
    if alike:
        either = [name for name in shares if name in {first, *alike}][: wording.FEW]
        return f"{' or '.join(either)} wins by luck, {' or '.join(f'{shares[name]:.0%}' for name in either)} of contests"
    level = [name for name in shares if shares[name] == shares[first]]
    if len(level) > 1:
        return f"{wording.names(level)} win most often, {shares[first]:.0%} of contests each, but are not shown to be best"
    shown = found.ranking.leading == (first,)
    return f"{first} wins most often, {shares[first]:.0%} of contests{'' if shown else ', but is not shown to be best'}"


def beside_published(found: Findings) -> Grid | None:
    """The published numbers beside ours; None if these are not the published study's configurations."""
    table = published.beside(found.trials)
    if table.empty:
        return None
    order = by_rank(found, table["configuration"].unique())
    in_order = sorted(each(table), key=lambda row: (row["study"], order.index(row["configuration"])))
    rows = tuple(_beside_published(row) for row in in_order)
    n = int(table["seeds"].max())
    headings = (
        "study",
        "configuration",
        "best epoch's",
        "published",
        "our mean",
        "SD over seeds",
        "our range",
        "n",
        "95% prediction interval",
        "published value",
    )
    columns = tuple(
        Column(text, text not in {"study", "configuration", "best epoch's", "published value"}) for text in headings
    )
    return Grid(
        "published",
        "Best epochs of single runs, as the published study reports them for its two versions, V1 and V2, beside ours: too high in both, since the test images chose them. For epochs "
        f"there is a range only: another run falls outside of it about {2 / (n + 1):.0%} of the time",
        columns,
        rows,
        title="The published numbers beside these",
    )


def _beside_published(row: dict[str, float]) -> tuple[str, ...]:
    value, mean, spread = (".0f", ".1f", ".1f") if "epoch" in str(row["number"]) else (".2f", ".2f", ".3f")
    return (
        str(row["study"]),
        str(row["configuration"]),
        str(row["number"]),
        f"{row['published']:{value}}",
        f"{row['mean']:{mean}}",
        f"{row['sd']:{spread}}" if is_number(row["sd"]) else NONE,
        f"{row['lowest']:{value}} to {row['highest']:{value}}",
        str(row["seeds"]),
        f"{row['low']:{mean}} to {row['high']:{mean}}" if is_number(row["low"]) else NONE,
        _where(row),
    )


def _where(row: dict[str, float]) -> str:
    """Where the published value lies: in the interval, or, if there is none, in the range."""
    if is_number(row["low"]):
        return "inside" if row["inside"] else "outside"
    return ("in" if row["lowest"] <= row["published"] <= row["highest"] else "out of") + " our range"


def against_itself(found: Findings) -> Grid | None:
    """The A/A test on the runs themselves; None without a configuration of enough runs."""
    if found.contest is None or found.contest.itself.empty:
        return None
    order = by_rank(found, found.contest.itself["configuration"])
    rows = tuple(
        (
            str(row["configuration"]),
            f"2 × {int(row['group'])}",
            f"{row['separated']:.1%}",
            f"{row['equivalent']:.1%}",
            f"{row['named']:.1%}",
        )
        for row in sorted(each(found.contest.itself), key=lambda row: order.index(row["configuration"]))
    )
    headings = ("configuration", "groups", "told apart", "practically equivalent", "best epochs two images apart")
    return Grid(
        "itself",
        f"A/A: runs of the same configuration, split at random into two groups {single_runs.SPLITS:,} times: how often this report's procedure tells "
        "them apart, or shows them equivalent; and how often one run of each would have made a winner",
        tuple(Column(text, text != "configuration") for text in headings),
        rows,
        title="A configuration against itself",
    )


LUCK = Section(
    "luck",
    "What would single runs have concluded?",
    needs=(BEST, TEST_IMAGES),
    finding=_finding,
    figures=_contest,
    tables=_tables,
    told=_told,
)
