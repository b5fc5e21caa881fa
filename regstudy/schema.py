"""Every name that crosses the store: metrics, tags, artifacts, and what each of them means.

`regstudy` writes these names, `analysis` reads them; neither spells one out elsewhere.
Accuracies are fractions in [0, 1]; losses are mean negative log-likelihoods in nats; epochs count from 0, as the published study's do.
"""

from collections.abc import Mapping
from enum import StrEnum

NUMERICS_VERSION = 2
"""Raised whenever the same configuration would give other numbers; part of a run's identity."""

METRICS_VERSION = 1
"""Raised whenever a metric below is defined otherwise: runs that differ in it are not compared."""

METRICS_OF_SAMPLED = 2
"""That of users' own data whose gap is measured on a part of the training images: once the first, now at equal distances."""

LAST_EPOCHS = 5
MOST_STEPS, MOST_PLANNED = 10**15, 100_000
"""The largest step that a curve may have, or so many to be averaged; the largest number of blocks that anybody plans."""
"""The endpoint is a mean over this many last epochs: an estimate without selection."""

TRIAL = "trial"
REPORT = "report"
STUDY = "study"
STUDY_START = "study-start"
"""Kinds of runs: one configuration and seed; a report; the parent of a study's trials; what `mlflow run` makes for a start of a study."""

COMPLETED = "completed"
DIVERGED = "diverged"
"""Outcomes of a finished trial: it saw all its epochs, or a loss left the numbers."""


class Metric(StrEnum):
    """Per epoch: what is logged at each step."""

    TRAIN_LOSS = "train/loss"
    TRAIN_LAST_BATCH_LOSS = "train/last_batch_loss"
    TRAIN_L1_PENALTY = "train/l1_penalty"
    TRAIN_L2_PENALTY = "train/l2_penalty"
    TRAIN_ACCURACY = "train/accuracy"
    TRAIN_LEARNING_RATE = "train/learning_rate"
    TEST_LOSS = "test/loss"
    TEST_ACCURACY = "test/accuracy"
    VALIDATION_LOSS = "validation/loss"
    VALIDATION_ACCURACY = "validation/accuracy"
    CLEAN_LOSS = "train_clean/loss"
    CLEAN_ACCURACY = "train_clean/accuracy"
    SECONDS = "time/epoch_seconds"
    IMAGES_PER_SECOND = "time/images_per_second"
    EPOCHS_DONE = "time/epochs_done"


class Summary(StrEnum):
    """Per run: logged once, at the last epoch's step."""

    ENDPOINT_TEST_ACCURACY = "endpoint/test_accuracy"
    ENDPOINT_TEST_LOSS = "endpoint/test_loss"
    ENDPOINT_VALIDATION_ACCURACY = "endpoint/validation_accuracy"
    ENDPOINT_VALIDATION_LOSS = "endpoint/validation_loss"
    ENDPOINT_EPOCHS = "endpoint/epochs_averaged"
    BEST_TEST_ACCURACY = "biased/best_epoch_test_accuracy"
    BEST_EPOCH = "biased/best_epoch"
    ROUGHNESS_TEST_ACCURACY = "roughness/test_accuracy"
    ROUGHNESS_TEST_LOSS = "roughness/test_loss"
    GAP_ACCURACY = "gap/accuracy"
    GAP_LOSS = "gap/loss"
    CALIBRATION_NLL = "calibration/negative_log_likelihood"
    CALIBRATION_BRIER = "calibration/brier_score"
    CALIBRATION_ECE = "calibration/expected_calibration_error"
    MISCLASSIFIED = "errors/misclassified"
    EXACT_ZEROS = "sparsity/exact_zeros"
    BELOW = "sparsity/below_{}_of_rms"
    DEAD_KERNELS = "kernels/dead"
    SILENT_KERNELS = "kernels/never_fire"
    SMALL_KERNELS = "kernels/small_norm"
    RECALL = "recall/class_{}"
    L1_REACH = "l1_reach/{}"
    INITIAL_SCALE = "initial_scale/{}"
    WALL_SECONDS = "time/wall_seconds"


LOWER = (
    Metric.TRAIN_LOSS,
    Metric.TRAIN_LAST_BATCH_LOSS,
    Metric.TEST_LOSS,
    Metric.VALIDATION_LOSS,
    Metric.CLEAN_LOSS,
    Metric.SECONDS,
    Summary.ENDPOINT_TEST_LOSS,
    Summary.ENDPOINT_VALIDATION_LOSS,
    Summary.ROUGHNESS_TEST_ACCURACY,
    Summary.ROUGHNESS_TEST_LOSS,
    Summary.GAP_ACCURACY,
    Summary.CALIBRATION_NLL,
    Summary.CALIBRATION_BRIER,
    Summary.CALIBRATION_ECE,
    Summary.MISCLASSIFIED,
    Summary.WALL_SECONDS,
)
HIGHER = (
    Metric.TRAIN_ACCURACY,
    Metric.TEST_ACCURACY,
    Metric.VALIDATION_ACCURACY,
    Metric.CLEAN_ACCURACY,
    Metric.IMAGES_PER_SECOND,
    Summary.ENDPOINT_TEST_ACCURACY,
    Summary.ENDPOINT_VALIDATION_ACCURACY,
    Summary.BEST_TEST_ACCURACY,
    Summary.RECALL,
)
HIGHER_IS_BETTER: Mapping[str, bool] = {**dict.fromkeys(LOWER, False), **dict.fromkeys(HIGHER, True)}
"""Of numbers that can rank configurations; of all others, such as dead kernels, it depends on the question."""

HELD_OUT = (
    Metric.VALIDATION_LOSS,
    Metric.VALIDATION_ACCURACY,
    Summary.ENDPOINT_VALIDATION_LOSS,
    Summary.ENDPOINT_VALIDATION_ACCURACY,
)
"""Numbers that a run records only if it holds images out of the training."""


STORED_AS: Mapping[str, str] = {
    Summary.ENDPOINT_EPOCHS: "time/epochs_averaged",
    Summary.BEST_TEST_ACCURACY: "with_hindsight/best_epoch_test_accuracy",
    Summary.BEST_EPOCH: "with_hindsight/best_epoch",
    Summary.CALIBRATION_NLL: "probabilities/negative_log_likelihood",
    Summary.CALIBRATION_BRIER: "probabilities/brier_score",
    Summary.CALIBRATION_ECE: "probabilities/expected_calibration_error",
}
"""What a store holds some of these metrics as, where MLflow sorts sections by name: the endpoint comes first, what was chosen by its result last.

Designs, whose digests cover them, snapshots and frames keep the first name for ever; so do runs of earlier versions, which are read as well.
"""

FIRST_NAMES: Mapping[str, str] = {stored: name for name, stored in STORED_AS.items()}


OTHER_NAMES: Mapping[str, str] = {**STORED_AS, **FIRST_NAMES}


def by_either_name(metrics: Mapping[str, float]) -> dict[str, float]:
    """A trial's metrics, as a store of whatever version holds them, by both names."""
    return {**{OTHER_NAMES[name]: value for name, value in metrics.items() if name in OTHER_NAMES}, **metrics}


SYSTEM = "system/"
"""What the names of MLflow's system metrics begin with."""


class Progress(StrEnum):
    """Of a study's run, at the step of how many trials are done."""

    DONE = "study/trials_done"
    PLANNED = "study/trials_planned"


class PerConfiguration(StrEnum):
    """Of a study's run: the endpoint's statistics over the seeds of a configuration, whose name stands in place of the braces."""

    MEAN = "mean/{}"
    SD = "sd/{}"
    N = "n/{}"
    DIVERGED = "diverged/{}"


class Tag(StrEnum):
    """What identifies and explains a run."""

    KIND = "regstudy.kind"
    CONFIG = "regstudy.config"
    CONFIG_DIGEST = "regstudy.config_digest"
    CONFIGURATION_DIGEST = "regstudy.configuration_digest"
    DATASET = "regstudy.dataset"
    DATA_DIGEST = "regstudy.data_digest"
    DATA_DIGESTS = "regstudy.data_digests"
    SPLIT_DIGEST = "regstudy.split_digest"
    DATA_WARNING = "regstudy.data_warning"
    NUMERICS_VERSION = "regstudy.numerics_version"
    METRICS_VERSION = "regstudy.metrics_version"
    VERSION = "regstudy.version"
    PARAMETER_COUNT = "regstudy.parameter_count"
    TEST_IMAGES = "regstudy.test_images"
    GIT_COMMIT = "regstudy.git_commit"
    GIT_DIRTY = "regstudy.git_dirty"
    PACKAGES = "regstudy.packages"
    DEVICE = "regstudy.device"
    PROCESSOR = "regstudy.processor"
    THREADS = "regstudy.threads"
    PLATFORM = "regstudy.platform"
    COMMAND = "regstudy.command"
    FAILURE = "regstudy.failure"
    TRIAL_DIGEST = "regstudy.trial_digest"
    CONFIGURATION = "regstudy.configuration"
    BLOCK = "regstudy.block"
    OUTCOME = "regstudy.outcome"
    STUDY = "regstudy.study"
    STUDY_DIGEST = "regstudy.study_digest"
    SEEDS = "regstudy.seeds"
    PLAN = "regstudy.plan"
    START = "regstudy.start.{}"
    LOOK = "regstudy.look.{}"
    UNTIL = "regstudy.until"
    SEARCH = "regstudy.search"
    HEARTBEAT = "regstudy.heartbeat"
    MACHINE = "regstudy.machine"
    OWN_CODE = "regstudy.own_code"
    CLASS_NAMES = "regstudy.class_names"
    MODEL_WARNING = "regstudy.model_warning"
    OWNER = "regstudy.owner"


class Artifact(StrEnum):
    """Files of a run, by their path under the run's artifacts."""

    CONTACT_SHEET = "misclassified/contact_sheet.png"
    MISCLASSIFIED = "misclassified/misclassified.parquet"
    PREDICTIONS = "predictions/test.parquet"
    CONFUSION = "figures/confusion_matrix.png"
    CURVES = "figures/curves.png"
    SOURCE_DIFF = "source/uncommitted.diff"


RIGHT_OF_LAST, LAST_SEEN = "right_of_last", "last_epochs"
"""Columns of a run's predictions: in how many of how many last epochs an image was right."""

OWN_SOURCE = "source/own"
"""Folder of a run's artifacts with the source of the user's own code."""

LONGEST_TAG = 4_000
"""Characters; MLflow takes 8,000, and more of class names nobody reads."""

MODEL_NAME, OWN_MODEL_NAME = "cnn", "own_network"
"""What logged models' names begin with; of runs of earlier versions `squeeze_expand` or `own_network` is the whole of it. Models are found by their run."""

WEIGHTS_FILE = "weights.safetensors"
CONTACT_SHEET_KEY = "misclassified"
DESIGN_FILE = "design.yaml"
"""Artifact of a study's run: its design, as it was run last."""

CLASS_NAMES = {
    "fashion-mnist": ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
}
"""What the ten labels of a data set stand for, where it is not the digits."""
