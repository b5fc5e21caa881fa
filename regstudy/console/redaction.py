"""What no text of ours may show: users and passwords of addresses, secret values of queries and connection strings, the environment's secrets.

Takes text and gives text; of the environment it reads what is secret in it. Where it cannot be told where a password ends, too much is left
out rather than too little. Knows no store and prints nothing.
"""

import os
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "***"

SHORTEST = 4
"""Characters of a secret of the environment that is looked for by itself: shorter ones are parts of any sentence."""

KNOWN_TO_ALL = frozenset(
    {
        "admin",
        "changeme",
        "default",
        "false",
        "localhost",
        "mlflow",
        "none",
        "null",
        "password",
        "postgres",
        "regstudy",
        "root",
        "true",
        "user",
    }
)
"""Hidden by themselves, they would keep nothing secret and cut ordinary sentences."""

ENDINGS = r"(?:passw(?:or)?d|passphrase|pwd|secret|token|(?:api|access|account|secret)[_-]?key|credentials?|odbc_connect|signature|(?<=[?&])sig)"
"""How the names of secret values end."""

SECRET_NAME = re.compile(rf"{ENDINGS}\Z", re.IGNORECASE)
SECRET_VARIABLE = re.compile(
    r"(?:passw(?:or)?d|passphrase|_pwd|secret|token|(?:api|access|account|secret)_?key)\Z", re.IGNORECASE
)
ADDRESS_VARIABLE = re.compile(r"(?:ur[il]|proxy)\Z", re.IGNORECASE)
USER_NAME = re.compile(r"(?:user|username|uid)\Z", re.IGNORECASE)

# In SQLAlchemy's grammar a password ends at the first @ and may hold anything else; in urllib's it ends at the last @ before the path.
ALONE = re.compile(r"(?P<scheme>[a-z][\w+.-]*://)(?!\[[\da-f:.]+\])(?:[^:/]*:[^@]*@)?(?:[^/?\#@]*@)*", re.IGNORECASE)
"""The beginning of an address that nothing follows."""

# Lengths are bounded, so that no text takes longer than its length; the longest passwords, tokens of clouds, have some 1,500 characters.
IN_TEXT = re.compile(
    r"""
    (?P<scheme> \b(?:(?P<web>https?)|(?!https?:)[a-z][\w+.-]{0,40}):// )
    (?! \[[\da-f:.]+\] )                                          # the colons of such a host begin no password
    (?(web) (?! [^:/\s]{0,300}:\d{1,5}[/?\#] ) )                  # a server's path may hold an @
    (?:
        (?: [^:/\s]{0,300}: | [^:/\n]{0,300}:(?![\s/]) )
        (?! \d{1,5} (?:[/?\#][^\s@]{0,300})? [\])}.,;:'"]{0,5} (?:\s|\Z) )  # a port: an @ further on belongs to the sentence
        (?: (?! \s[a-z][\w+.-]{0,40}:// ) [^@] ){0,3000} @
      | (?: (?! \s[a-z][\w+.-]{0,40}:// ) [^:/] ){0,300} :
        (?: (?! \s[a-z][\w+.-]{0,40}:// ) [^@] ){0,3000} @ (?= [^\s/@]{0,300}/ )  # unless a path follows, as in an address
      | [^:/?\#\s]{0,3000}@
    )
    (?: [^\s/?\#@]{0,3000}@ | (?(web) (?!) | (?: (?! :// ) [^\s?@'"<>,;()] ){0,3000}@ (?= [^\s/?@]+/ ) ) )*
    """,
    re.IGNORECASE | re.VERBOSE,
)
MISTYPED = re.compile(r"(?:[a-z][\w+.-]*:?/{1,2})?(?P<all>[^@]*:.*)@.*", re.IGNORECASE | re.DOTALL)
"""What was meant for an address, with a user and a password."""

WITHOUT_HOST = re.compile(r"[a-z][\w+.-]*://[^:/@\[]*:(?P<password>(?!\d+/?\Z)[^/@]+)/?", re.IGNORECASE)
"""An address that ends with its password: what is no port may be one."""

WITHIN_ANOTHER = re.compile(r"(?P<scheme>%3A%2F%2F)[^\s&]{0,3000}%40", re.IGNORECASE)
DATABASE_QUERY = re.compile(r"(?P<address>\b(?!https?:)[a-z][\w+.-]{0,40}://[^\s?]{0,3000}\?)(?P<query>[^\n]*)", re.IGNORECASE)

BRACED = r"\{(?:[^}]|\}\}){0,3000}\}"
ODBC_PASSWORD = re.compile(
    rf"(?P<name>\b(?:pwd|password)\s{{0,5}}=\s{{0,5}})(?!\*\*\*)(?:{BRACED}|[^;\n]{{0,3000}}(?=;)|(?<=;pwd=)[^;\n]*|(?<=;password=)[^;\n]*)",
    re.IGNORECASE,
)
HEADER = re.compile(
    r"""(?P<name>\bauthorization['"]?\s{0,5}[:=]\s{0,5}['"]?(?:[a-z]{1,20}\s{1,5})?)(?![a-z]{1,20}\s{1,5}\*\*\*)[\w.~+/=-]+""",
    re.IGNORECASE,
)
OPTION = re.compile(rf"(?P<name>(?<![\w-])--[\w-]{{0,40}}{ENDINGS}\s{{1,5}})(?![-\s])\S+", re.IGNORECASE)
PAIR = re.compile(
    rf"""(?P<name> {ENDINGS} ['"]?\s{{0,5}} (?:=\s{{0,5}}|%3D|:(?!//)\s{{0,5}}) )
    (?! \*\*\* (?: [\s&,;)\]'"] | \Z ) )
    (?: "(?:[^"\\]|\\.){{0,3000}}" | '(?:[^'\\]|\\.){{0,3000}}' | {BRACED} | [^\s&]+ )""",
    re.IGNORECASE | re.VERBOSE,
)


def redacted(text: str) -> str:
    """The text as others may see it: addresses keep host and database, secret values become three asterisks."""
    return _by_shape(IN_TEXT.sub(r"\g<scheme>", without_secrets(text)))


def without_secrets(text: str) -> str:
    """The text without what is secret in the environment; whatever else looks like a secret stays."""
    for secret, instead in sorted(_known(), key=lambda pair: -len(pair[0])):
        if secret in text:
            text = _word(secret).sub(lambda _, instead=instead: instead, text)
    return text


def _word(secret: str) -> re.Pattern[str]:
    """A secret that could be a word is one only where no word goes on."""
    return re.compile(rf"(?<!\w){secret}(?!\w)" if re.fullmatch(r"\w+", secret) else re.escape(secret))


def _known() -> Iterator[tuple[str, str]]:
    """The environment's secrets, and what is shown instead."""
    for name, value in os.environ.items():
        if SECRET_VARIABLE.search(name):
            yield from _spellings(value)
        elif ADDRESS_VARIABLE.search(name) and "://" not in value and (mistyped := MISTYPED.fullmatch(value)):
            for secret in (mistyped["all"], mistyped["all"].partition(":")[2]):
                yield from _spellings(secret)
        elif ADDRESS_VARIABLE.search(name) and "://" in value:
            yield value, _by_shape(ALONE.sub(r"\g<scheme>", value))
            for password in _passwords(value):
                yield from _spellings(password)


def _spellings(secret: str) -> Iterator[tuple[str, str]]:
    """As it is, decoded and encoded."""
    for spelling in {secret, unquote(secret), quote(secret, safe=""), quote_plus(secret)}:
        if len(spelling) >= SHORTEST and spelling.lower() not in KNOWN_TO_ALL:
            yield spelling, HIDDEN


def _passwords(address: str) -> Iterator[str]:
    ended = WITHOUT_HOST.fullmatch(address)
    if ended:
        yield ended["password"]
    found = ALONE.match(address)
    if found:
        yield address[found.end("scheme") : found.end()].rpartition("@")[0].partition(":")[2]
    for part in address.partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if SECRET_NAME.search(unquote_plus(name)):
            yield unquote_plus(value)


def _by_shape(text: str) -> str:
    """The text without what is secret by its form or name, users of addresses apart."""
    text = WITHIN_ANOTHER.sub(r"\g<scheme>", text)
    text = DATABASE_QUERY.sub(lambda found: found["address"] + _query(found["query"]), text)
    for pattern in (ODBC_PASSWORD, HEADER, OPTION, PAIR):
        text = pattern.sub(rf"\g<name>{HIDDEN}", text)
    return text


def _query(query: str) -> str:
    """In a database's query a value may hold spaces: it ends at the next &, or with the line."""
    return "&".join(map(_query_part, query.split("&")))


def _query_part(part: str) -> str:
    name, equals, value = part.partition("=")
    named = unquote_plus(name)
    if not equals or not (SECRET_NAME.search(named) or USER_NAME.search(named)):
        return part
    return part if value.startswith(f"{HIDDEN} ") else f"{name}={HIDDEN}"
