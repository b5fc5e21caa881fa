"""Which faults of a store pass by waiting: one that is away, busy or starting up, not one that refuses us. Reads exceptions, mends nothing."""

import re
from collections.abc import Iterable, Iterator

from mlflow.exceptions import MlflowException, RestException
from requests.exceptions import ChunkedEncodingError, HTTPError, RequestException, Timeout
from requests.exceptions import ConnectionError as NoConnection
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree

from regstudy.errors import RegstudyError

BUSY = re.compile(r"locked|busy", re.IGNORECASE)
"""What passes of SQLite's faults; nothing was written then."""

REFUSED = re.compile(
    r"password|authenticat|access denied|no pg_hba|permission denied|unknown database|does not exist|doesn't exist|no such table"
    r"|(?:name or service|host) not known|could not translate|certificate|no space left|disk full|read-only",
    re.IGNORECASE,
)
"""What does not pass of a database server's faults, or of a connection's: somebody has to do something first."""

UNREACHED = re.compile(r"API request to .* failed with (?:timeout )?exception", re.DOTALL)
"""MLflow's words where no answer came from a server."""

UNABLE = re.compile(r"failed with error code (?:429|5\d\d)\b")
"""MLflow's words where a server, or what stands before it, could not answer."""

REJECTED = re.compile(r"failed with error code 40[13]\b")
"""The same where it does not let us in."""

COLLIDED = re.compile(r"unique constraint|duplicate (?:key|entry)", re.IGNORECASE)
"""SQLite's, PostgreSQL's and MySQL's words where another has written the same key between a call's look and its own writing."""

SHUT_OUT = frozenset({401, 403})
ANSWERS = frozenset({"RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE", "INVALID_STATE"})
"""Codes of a store that is well."""

LONGEST = 200
"""Characters of a reason."""


def is_passing(error: BaseException) -> bool:
    """Whether the same call may be answered later."""
    if not isinstance(error, Exception):
        return False  # a signal, whatever was under way
    return _first(map(_passes, _chain(error)))


def is_refusal(error: BaseException) -> bool:
    """Whether the store is there and takes nothing from us until somebody has mended that; not, whether it lacks what was asked for."""
    return _first(map(_refuses, _chain(error)))


def is_collision(error: BaseException) -> bool:
    """Whether the store is well and took nothing, since another wrote the same just then: the same call finds it there next time."""
    if isinstance(error, MlflowException) and error.error_code in ANSWERS:
        return False
    return isinstance(error, (MlflowException, IntegrityError)) and COLLIDED.search(str(error)) is not None


def reason(error: BaseException) -> str:
    """Why, in a line: the innermost words, without what was asked."""
    last = list(_chain(error))[-1]
    found = getattr(last, "orig", None) or last
    lines = [line.strip() for line in str(found).splitlines() if line.strip()]
    return (lines[0] if lines else type(found).__name__).rstrip(".")[:LONGEST]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made of, outermost first."""
    current: BaseException | None = error
    seen: list[BaseException] = []
    while current is not None and current not in seen:
        seen.append(current)
        yield current
        current = current.__cause__ or current.__context__


def _first(verdicts: Iterable[bool | None]) -> bool:
    return next((verdict for verdict in verdicts if verdict is not None), False)


def _passes(one: BaseException) -> bool | None:
    if isinstance(one, RegstudyError):
        return False
    if isinstance(one, DBAPIError):
        return _passes_in_database(one)
    if isinstance(one, RequestException):
        return _passes_on_the_way(one)
    if isinstance(one, (NoneFree, ConnectionError, TimeoutError)):
        return True
    return _passes_at_server(one) if isinstance(one, MlflowException) else None


def _refuses(one: BaseException) -> bool | None:
    if isinstance(one, RegstudyError):
        return False
    if isinstance(one, DBAPIError):
        return isinstance(one, (OperationalError, InterfaceError)) and not _passes_in_database(one)
    if isinstance(one, HTTPError) and one.response is not None:
        return one.response.status_code in SHUT_OUT
    return _refuses_as_server(one) if isinstance(one, MlflowException) else None


def _refuses_as_server(error: MlflowException) -> bool | None:
    """As below."""
    if isinstance(error, RestException):
        return error.get_http_status_code() in SHUT_OUT
    if error.error_code in ANSWERS:
        return False
    unreachable = UNREACHED.search(str(error)) and REFUSED.search(str(error))
    return True if unreachable or REJECTED.search(str(error)) else None


def _passes_in_database(error: DBAPIError) -> bool:
    text = str(error.orig)
    if type(error.orig).__module__.startswith("sqlite3"):
        return BUSY.search(text) is not None
    return isinstance(error, (OperationalError, InterfaceError, InternalError)) and REFUSED.search(text) is None


def _passes_on_the_way(error: RequestException) -> bool:
    if isinstance(error, HTTPError) and error.response is not None:
        return error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, (NoConnection, Timeout, ChunkedEncodingError)) and REFUSED.search(str(error)) is None


def _passes_at_server(error: MlflowException) -> bool | None:
    """What a server's answer says; None if it is none, so that what it was made of decides."""
    if isinstance(error, RestException):
        return error.get_http_status_code() == 429 or error.get_http_status_code() >= 500
    if UNABLE.search(str(error)):
        return True
    return REFUSED.search(str(error)) is None if UNREACHED.search(str(error)) else None
