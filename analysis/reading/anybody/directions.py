"""Which way a metric is better, by what the field calls it; a name that the field does not know is asked about, not guessed."""

import re

from regstudy.errors import UsageError

CONTEXT = re.compile(
    r"train|training|val|valid|validation|test|eval|evaluation|dev|holdout|oof|cv|mean|avg|average|epoch|step|final|last|total|"
    r"micro|macro|weighted|samples|binary|ovr|ovo|top|k|at|token|image|class|score|scorer|\d+"
)
"""Words that say where or how something was measured, not what."""

ASK = re.compile(
    r"neg|negative|rank|time|seconds?|ms|duration|latency|std|sd|stdev|var|variance|sem|error_bar|ratio|diff|delta|gap|change|scale|norm|coef|weight|count|n|num|lr|target|best"
)
"""Words of names that point no way, or turn it round: scikit-learn's neg_mean_squared_error is the higher, the better, somebody else's may not be."""

LOWER = re.compile(
    r".*loss|.*error|err|mae|mse|rmse|rmsle|msle|mape|smape|perplexity|ppl|nll|brier|ece|wer|cer|eer|fid|.*entropy|deviance|divergence|rmsd|mpe|roughness"
)
HIGHER = re.compile(
    r"acc|acc\d|.*accuracy|auc|auroc|roc|auprc|aucpr|map|ap|f1|f2|fbeta|precision|recall|sensitivity|specificity|r2|r|bleu|rouge|rouge\w|meteor|iou|miou|"
    r"dice|jaccard|reward|return|ndcg|mrr|hit|kappa|mcc|corrcoef|psnr|ssim|explained|silhouette|rand|homogeneity|completeness|measure|"
    r"information|mallows|elbo|likelihood|em"
)
"""Words that tell which way is better, wherever they stand in a name."""


def direction(metric: str) -> str:
    """`higher` or `lower`, by the words of a metric's name; UsageError if they do not say, or say both."""
    words = re.split(r"[^a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", metric).lower())
    told = [word for word in words if word and not CONTEXT.fullmatch(word)]
    lower, higher, unclear = (any(map(known.fullmatch, told)) for known in (LOWER, HIGHER, ASK))
    unclear |= lower and "score" in words and not {"brier", "loss"} & {*words}  # an error's score
    if unclear or lower == higher:
        raise UsageError(
            f"--metric {metric!r}: its name does not say which way is better: add --better higher or --better lower"
        )
    return "lower" if lower else "higher"
