"""A run in words: the Markdown that MLflow shows on its page."""

from regstudy.config import RunConfig, dataset_name, strengths
from regstudy.console.terminal import plain, plural
from regstudy.data.datasets import Splits
from regstudy.schema import Summary, Tag

DIVERGED_TEXT = "**Diverged**: a loss is no finite number any more. Training ended at that epoch; a smaller `lr` may help."


def describe(config: RunConfig, data: Splits, values: dict[str, float], tags: dict[str, str]) -> str:
    """What was trained, what came out, and the command that gives it again."""
    trained = f"{plural(config.epochs, 'epoch')} of {len(data.train):,} images ({dataset_name(data.dataset)}), seed {config.seed}, recipe `{config.recipe}`."
    lines = [
        f"**L1 = {plain(config.l1)}** ({config.l1_kind}, {config.l1_scope}), **L2 = {plain(config.l2)}** ({config.l2_scope}){_others(config)}: {trained}",
        *([f"\n> **{tags[Tag.DATA_WARNING]}**\n"] if Tag.DATA_WARNING in tags else []),
        "",
        *(_result(values, len(data.test)) if Summary.ENDPOINT_EPOCHS in values else [DIVERGED_TEXT]),
        "",
        "One run is one seed: it supports no ranking by itself. The same run again:",
        "",
        "```sh",
        tags[Tag.COMMAND],
        "```",
    ]
    return "\n".join(lines)


def _result(values: dict[str, float], test_images: int) -> list[str]:
    averaged = plural(int(values[Summary.ENDPOINT_EPOCHS]), "epoch")
    best = f"{values[Summary.BEST_TEST_ACCURACY]:.2%} at epoch {values[Summary.BEST_EPOCH]:.0f}"
    return [
        f"| on {test_images:,} test images | |",
        "|---|---:|",
        f"| accuracy, mean of the last {averaged} | {values[Summary.ENDPOINT_TEST_ACCURACY]:.2%} |",
        f"| loss, mean of the last {averaged} | {values[Summary.ENDPOINT_TEST_LOSS]:.4f} |",
        f"| best epoch (biased: chosen on the test images) | {best} |",
        f"| misclassified by the final model | {values[Summary.MISCLASSIFIED]:.0f} |",
        f"| accuracy gap, train − test | {100 * values[Summary.GAP_ACCURACY]:+.2f} points |",
        *(
            [f"| exact zeros among convolution weights | {values[Summary.EXACT_ZEROS]:.1%} |"]
            if Summary.EXACT_ZEROS in values
            else []
        ),
    ]


def _others(config: RunConfig) -> str:
    """Other regularisers that are on, and a network of the user's."""
    on = {name: words for name, words in strengths().items() if name not in {"l1", "l2"} and getattr(config, name)}
    told = [f", {words} = {plain(getattr(config, name))}" for name, words in on.items()]
    network = f", network `{config.network}`" if config.references() and config.network in config.references() else ""
    return "".join(told) + network
