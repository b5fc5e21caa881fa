"""What a training run shows: a bar with the time left on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

from regstudy.console import screen
from regstudy.console.terminal import in_words
from regstudy.training.loop import EpochMetrics


class Display:
    """Hears of each batch and of each epoch."""

    def __init__(self, console: Console, bar: Progress, epochs: int, images: int, done: int) -> None:
        self._console, self._bar, self._epochs = console, bar, epochs
        self._earlier = done
        self._task = bar.add_task("training", total=epochs * images, completed=done * images)
        self._start = time.monotonic()

    def advance(self, images: int) -> None:
        """A batch of so many images is done."""
        self._bar.advance(self._task, images)

    def epoch_done(self, metrics: EpochMetrics) -> None:
        """An epoch is done."""
        done = metrics.epoch + 1
        facts = f"epoch {done}/{self._epochs}  train loss {metrics.train_loss:.4f}  test accuracy {metrics.test.accuracy:.2%}"
        if self._bar.disable:
            left = (time.monotonic() - self._start) / (done - self._earlier) * (self._epochs - done)
            self._console.print(
                f"{facts}  {metrics.images_per_second:,.0f} images/s  {in_words(left)} left", soft_wrap=True, highlight=False
            )
        else:
            self._bar.update(self._task, description=facts)


@contextmanager
def shown(epochs: int, images: int, done: int = 0) -> Iterator[Display]:
    """Show the training of so many epochs of so many images, some of which are done."""
    console = screen.console()
    columns = screen.words("task.description"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield Display(console, bar, epochs, images, done)
