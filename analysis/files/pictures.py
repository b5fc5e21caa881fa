"""Whether two pictures are the same, however they are packed: PNG by its pixels, PDF by its objects. Nothing in them is followed or run."""

import io
import re
import zlib

from PIL import Image

SIGNATURE, PIXELS, END = b"\x89PNG\r\n\x1a\n", b"IDAT", b"IEND"
STREAM = re.compile(rb"(?<=>>\n)stream\n(.*?)\nendstream(?=\nendobj\n)", re.DOTALL)
LENGTH = re.compile(rb"(?<=/Length )\d+(?!\d| \d+ R)|(?<= 0 obj\n)\d+(?=\nendobj\n)")
TABLE = re.compile(rb"xref\n0 (\d+)\n((?:\d{10} \d{5} [fn] \n)+)trailer\n(.*?)startxref\n(\d+)\n%%EOF\n", re.DOTALL)
ACTS = re.compile(
    rb"/(?:JavaScript|JS|OpenAction|AA|A|Launch|URI|SubmitForm|GoTo\w*|Rect|AcroForm|XFA|Embedded\w*|ObjStm|XRef|Encrypt)\b|/[^\s/]*#"
)
"""In a PDF, what does more than show: actions, links, forms; and what would hide them."""

PLACES = re.compile(rb"-?\d*\.?\d+")
UNSEEN_LENGTH = 0.011
"""In points."""

MOST = 10**8
"""Bytes of a stream that are looked at."""


def png_difference(there: bytes, expected: bytes) -> str:
    """In what a PNG is another picture than the one expected; empty if in nothing."""
    if there == expected:
        return ""
    try:
        if _beside_pixels(there) != _beside_pixels(expected):
            return "is another picture: of another size, or with other data beside its pixels"
        one, other = _pixels(there), _pixels(expected)
    except (ValueError, OSError, SyntaxError, zlib.error):
        return "is no picture (PNG) as it was written"
    if one == other:
        return ""
    share = next(place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b) / len(one)
    return f"shows other pixels, from {share:.0%} of its height on"


def _beside_pixels(png: bytes) -> list[bytes]:
    """All chunks but the pixels', in order: size, colours, and what else there is. ValueError if it is not whole or goes on behind its end."""
    held, at = [png[:8]], len(SIGNATURE)
    while at < len(png):
        size = 12 + int.from_bytes(png[at : at + 4])
        held += [] if png[at + 4 : at + 8] == PIXELS else [png[at : at + size]]
        at += size
    if held[0] != SIGNATURE or at != len(png) or held[-1][4:8] != END:
        raise ValueError("no whole PNG")
    return held


def _pixels(png: bytes) -> bytes:
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        return picture.tobytes()


def pdf_difference(there: bytes, expected: bytes) -> str:
    """In what a PDF is another document than the one expected; empty if in nothing but compression and hundredths of a point."""
    if there == expected:
        return ""
    try:
        (one, drawn), (other, wanted) = _objects(there), _objects(expected)
    except (ValueError, zlib.error):
        return "is no document (PDF) as it was written"
    if one != other or len(drawn) != len(wanted):
        return "holds other objects"
    unlike = [place for place, (a, b) in enumerate(zip(drawn, wanted, strict=True), 1) if not _is_same_drawing(a, b)]
    return f"draws something else, first in stream {unlike[0]}" if unlike else ""


def png_fault(there: bytes) -> str:
    """Why a file is no whole PNG; empty if it is one."""
    try:
        _beside_pixels(there)
    except ValueError:
        return "is no picture (PNG)"
    return ""


def pdf_fault(there: bytes) -> str:
    """What in a file is no PDF, or could do more than show; empty if nothing."""
    if not there.startswith(b"%PDF-"):
        return "is no document (PDF)"
    acts = ACTS.search(STREAM.sub(b"", there))
    return f"holds what could act: {acts[0].decode('latin-1')}" if acts else ""


def _objects(pdf: bytes) -> tuple[bytes, list[bytes]]:
    """A PDF without streams, lengths and table of places; and its streams. ValueError if lengths or places are others than there are."""
    table = TABLE.search(pdf)
    if table is None or table.end() != len(pdf) or int(table[4]) != table.start():
        raise ValueError("no table at the end")
    for number, line in enumerate(table[2].splitlines()):
        if number and not pdf.startswith(b"%d 0 obj\n" % number, int(line[:10])):
            raise ValueError("places of other objects")
    streams = STREAM.findall(pdf)
    around = STREAM.sub(b"", pdf[: table.start()])
    if sorted(map(int, LENGTH.findall(around))) != sorted(map(len, streams)):
        raise ValueError("lengths of other streams")
    # Where lines are broken follows from lengths.
    return b" ".join((LENGTH.sub(b"", around) + table[1] + table[3]).split()), [_unpacked(stream) for stream in streams]


def _unpacked(stream: bytes) -> bytes:
    packed = zlib.decompressobj()
    data = packed.decompress(stream, MOST)
    if packed.unused_data or not packed.eof:
        raise ValueError("more than a stream")
    return data


def _is_same_drawing(one: bytes, other: bytes) -> bool:
    if one == other:
        return True
    if PLACES.split(one) != PLACES.split(other):
        return False
    pairs = zip(PLACES.findall(one), PLACES.findall(other), strict=True)
    return all(a == b or abs(float(a) - float(b)) <= UNSEEN_LENGTH for a, b in pairs)
