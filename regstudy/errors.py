"""What can go wrong that a user can put right: each error's message is one line that says how."""

FIRST_RUN = "python -m regstudy train --l1 0.001"
"""For those that find no run: the command that makes one."""


class RegstudyError(Exception):
    """Base of all errors that end a command with one line and exit status 2."""


class UsageError(RegstudyError):
    """The command line cannot be understood."""


class ConfigError(RegstudyError):
    """A value of the configuration is unknown or out of range; `place` is where in a file it stands, if it came from one."""

    place: tuple[int | str, ...] = ()


class DesignError(RegstudyError):
    """A study's design cannot be read, or says what cannot be."""


class DataError(RegstudyError):
    """A data set is missing, damaged or cannot be stored."""


class TrackingError(RegstudyError):
    """The tracking store cannot be reached, or does not take what we log."""


class StudyError(RegstudyError):
    """Some of a study's trials could not be finished."""


class ResumeError(RegstudyError):
    """A run cannot be continued."""


class DamagedCheckpoint(RegstudyError):
    """A run's checkpoint is not what was written for it."""


class LostRun(RegstudyError):
    """Another process has taken over the run that this one was at work on: nothing more may be written."""


class NothingToAnalyse(RegstudyError):
    """The store holds no runs of the kind asked for."""


class NotComparable(RegstudyError):
    """The runs differ in something that makes a comparison meaningless."""


class VerificationError(RegstudyError):
    """A report does not say what its runs say."""


class SnapshotError(RegstudyError):
    """A snapshot is not as it was written, or cannot be written."""


class FolderError(RegstudyError):
    """A folder that is to be written into holds what is not ours."""
