"""No password of an address, however it is spelt, in anything that we say; host and database stay readable."""

import string
import subprocess
import sys
import urllib.parse

import mlflow
import pytest
from conftest import ROOT
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from analysis.commands import cli, commands
from regstudy.console import redaction
from regstudy.console.redaction import redacted
from regstudy.schema import Tag
from regstudy.tracking import recorder

HOSTILE = st.text(alphabet="#/?:@% &=;+'\"\\{}[]()<>,|*$!~\nabcXYZ0159", min_size=1, max_size=20)
ANY = st.one_of(st.text(min_size=1, max_size=20), st.text(alphabet=string.printable, min_size=1, max_size=20), HOSTILE)
HOSTS = st.from_regex(r"\A[a-z]{3,8}(\.[a-z]{2,8}){1,2}\Z")
BEFORE = st.sampled_from(["", "the store ", "got unsupported URI '", "(", "uri=", "http://localhost:5000 and "])
AFTER = st.sampled_from(["", " does not answer", "' for the registry", ": ask admin at once", "\nTraceback", ")"])


def scaffold(text: str, secret: str) -> bool:
    """Whether the secret is in what surrounds it, too: then nobody can tell."""
    return secret.strip() in text or len(secret) < 2


@settings(max_examples=150)
@given(st.sampled_from(["postgresql+psycopg", "postgres", "mysql", "mssql+pyodbc"]), ANY, ANY, HOSTS, BEFORE, AFTER)
@example("postgresql+psycopg", "u", "se#cret/9?x", "db.example.org", "the store ", " does not answer")
@example("postgresql", "u", "1 x", "db.example.org", "", "")
@example("postgresql", "me@corp", "p?w://x", "db.example.org", "", "")
def test_no_password_that_sqlalchemy_takes_is_shown(scheme, user, password, host, before, after):
    address = f"{scheme}://{user}:{password}@{host}:5432/results"
    try:
        parsed = make_url(address)
    except ValueError:
        assume(False)
        return
    assume(
        (parsed.username, parsed.password, parsed.host) == (urllib.parse.unquote(user), urllib.parse.unquote(password), host)
    )
    shown = redacted(f"{before}{address}{after}")
    assume(not scaffold(f"{before}{scheme}://{host}:5432/results{after}", password))
    assert password not in shown
    assert f"{host}:5432/results" in shown
    assert redacted(shown) == shown


@settings(max_examples=150)
@given(st.sampled_from(["http", "https", "HTTP"]), ANY, ANY, HOSTS, BEFORE, AFTER)
@example("http", "u", "p@ss", "mlflow.example.org", "the server ", " does not answer")
def test_no_password_that_urllib_takes_is_shown(scheme, user, password, host, before, after):
    address = f"{scheme}://{user}:{password}@{host}:5000/path"
    try:
        parsed = urllib.parse.urlsplit(address)
    except ValueError:
        assume(False)
        return
    assume((parsed.username, parsed.password, parsed.hostname) == (user, password, host))
    shown = redacted(f"{before}{address}{after}")
    assume(not scaffold(f"{before}{scheme}://{host}:5000/path{after}", password))
    assert password not in shown
    assert f"{host}:5000/path" in shown


@settings(max_examples=100)
@given(st.sampled_from(["password", "sslpassword", "Password", "p%61ssword", "token"]), ANY, st.booleans())
def test_no_password_of_a_query_is_shown(name, password, encoded):
    spelt = urllib.parse.quote_plus(password) if encoded else password
    address = f"postgresql://db.example.org/results?user=someone&{name}={spelt}&connect_timeout=3"
    found = make_url(address).query.get(urllib.parse.unquote(name))
    assume(found == password and "\n" not in spelt)
    shown = redacted(f"the store {address} does not answer")
    assume(not scaffold(shown.replace(name, ""), spelt))
    assert spelt not in shown
    assert "someone" not in shown
    assert shown.startswith("the store postgresql://db.example.org/results?")
    assert "connect_timeout=3 does not answer" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("got 'postgres://u:pw@h/db' for it", "got 'postgres://h/db' for it"),
        ("postgresql://me@corp:pw@h/db", "postgresql://h/db"),
        ("http://a:one@h1/x, http://b:two@h2/y", "http://h1/x, http://h2/y"),
        ("http://token@h/x", "http://h/x"),
        ("http://u:p%40w@[::1]:5000/x", "http://[::1]:5000/x"),
        ("s3://KEY:SECRET@bucket/x", "s3://bucket/x"),
        ("?to=postgresql%3A%2F%2Fu%3Apw%40h&x=1", "?to=postgresql%3A%2F%2Fh&x=1"),
        ("http://h/x?token=abc&y=1 failed", "http://h/x?token=***&y=1 failed"),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dpw", "mssql+pyodbc:///?odbc_connect=***"),
        ("SERVER=h;UID=u;PWD={a;b}}c};Encrypt=yes", "SERVER=h;UID=u;PWD=***;Encrypt=yes"),
        ("SERVER=h;PWD=a b;Encrypt=yes", "SERVER=h;PWD=***;Encrypt=yes"),
        ("host=h password='a b' dbname=x", "host=h password=*** dbname=x"),
        ("{'password': 'a b', 'user': 'u'}", "{'password': ***, 'user': 'u'}"),
        ("MLFLOW_TRACKING_TOKEN=abc python", "MLFLOW_TRACKING_TOKEN=*** python"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("Authorization: Token abc.def", "Authorization: Token ***"),
        ("{'Authorization': 'abc.def'}", "{'Authorization': '***'}"),
        ("password: abc", "password: ***"),
        ("psql --db-password abc --host h", "psql --db-password *** --host h"),
    ],
)
def test_what_hides_a_secret_is_cut_out_of_a_message(text, shown):
    assert redacted(text) == shown
    assert redacted(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////a@b/mlflow.db",
        "http://127.0.0.1:5000; ask admin@example.org",
        "postgresql://h:5432/db has stopped answering (ask me@example.org)",
        "http://127.0.0.1:5000/#/experiments/0?search=a@b",
        "the tracking server http://[::1]:5000 does not answer",
        "compare --where params.max_tokens=5 tags.owner=me@example.org",
        "password authentication failed for user mlflow",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


def test_the_environments_secrets_are_known_by_themselves(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc.def/ghi")
    monkeypatch.setenv("PGPASSWORD", "mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://u:a b%23c@h/db?sslpassword=dd ee")
    assert redacted("no hunter2 here: look with mlflow ui") == "no *** here: look with mlflow ui"
    assert redacted("abc.def/ghi, abc.def%2Fghi") == "***, ***"
    assert redacted("'a b%23c' or 'a b#c' or 'dd ee'") == "'***' or '***' or '***'"
    assert redacted("postgresql://u:a b%23c@h/db?sslpassword=dd ee is away") == "postgresql://h/db?sslpassword=*** is away"


def test_of_uncommitted_changes_only_the_environments_secrets_are_cut(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    diff = '+store = "postgresql://u:pw@h/db"\n+password = "hunter2"\n'
    assert redaction.without_secrets(diff) == diff.replace("hunter2", "***")


PRINTS = """
import logging, threading, warnings
from regstudy.console import hooks
hooks.keep_secrets()
address = "postgresql://u:geheim@h/db"
logging.error("no answer from %s", address)
try:
    raise OSError(address)
except OSError:
    logging.exception("it fails")
warnings.warn(address)
thread = threading.Thread(target=int, args=(address,))
thread.start()
thread.join()
raise ValueError(f"cannot use {address}, ask me@example.org")
"""


def test_what_others_print_is_redacted_too():
    done = subprocess.run([sys.executable, "-c", PRINTS], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert "geheim" not in done.stderr
    assert "ValueError: cannot use postgresql://h/db, ask me@example.org" in done.stderr
    assert "no answer from postgresql://h/db" in done.stderr
    assert done.stderr.count("Traceback") == 3
    assert "UserWarning: postgresql://h/db" in done.stderr


ADDRESSES = [
    "postgres://u:geheim@127.0.0.1:1/db",
    "http://u:ge#heim@127.0.0.1:1",
    "http://u:geheim@127.0.0.1:1",
    "postgresql+psycopg://u:p@ge:heim@127.0.0.1/db",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dgeheim",
    "mysql+nonesuch://u:geheim@h/d",
    "ftp://u:geheim@h/d",
]


MISTYPED = [
    "postgresql:/u:geheim@127.0.0.1/db",
    "postgresql//u:geheim@h/db",
    "http:/u:geheim@127.0.0.1",
    "u:geheim@h/db",
    "postgresql://u:geheim",
    "http://[::1",
]


@pytest.mark.parametrize("address", MISTYPED)
def test_a_mistyped_address_is_named_without_its_password(address, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert cli.main(["rank"]) == 2
    said = capsys.readouterr().err
    assert "geheim" not in said
    assert said.count("\n") == 1
    if "[" in address or address.startswith("postgresql://"):
        assert "has no address that can be read: in a user or password write %2F for a slash" in said


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_store_that_cannot_be_used_is_one_line_without_its_password(address, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(address)
    assert cli.main(["rank"]) == 2
    said = capsys.readouterr().err
    mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]  # None unsets it
    assert "geheim" not in said
    assert "heim" not in said
    assert said.count("\n") == 1


def test_a_runs_reason_holds_no_password(workspace):
    run_id = recorder.start("name", {})
    with pytest.raises(OSError, match="geheim"), recorder.at_work(run_id):
        raise OSError("no answer from postgresql://u:geheim@h/db")
    reason = mlflow.get_run(run_id).data.tags[Tag.FAILURE]
    assert reason == "OSError: no answer from postgresql://h/db"


def test_the_command_that_a_report_holds_has_no_password(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    handed_on: list[str] = []
    monkeypatch.setattr(commands, "report", lambda _arguments, command: handed_on.append(command))
    cli.main(["report", "--experiment", "of postgresql://u:geheim@h/db"])
    assert handed_on == ["python -m analysis report --experiment 'of postgresql://h/db'"]
