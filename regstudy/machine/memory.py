"""How this process asks for memory: what training frees and takes again in each step stays with it."""

import ctypes
import os
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of mallopt(3), in glibc's malloc.h."""

IN_PIECES, FREE = 32 << 20, 256 << 20
"""Bytes: what is smaller comes from the heap (the most that glibc admits), of which so many free ones at its end are kept."""


def keep() -> None:
    """Give freed tensors back to this process, not to the system, which would hand them out anew at each step, page by page, filled with zeros.

    No number depends on it. Where there is no glibc, and where its own environment variables say how, nothing is changed.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    with suppress(AttributeError, OSError, TypeError):  # macOS, musl, Windows
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, IN_PIECES)
        mallopt(M_TRIM_THRESHOLD, FREE)
