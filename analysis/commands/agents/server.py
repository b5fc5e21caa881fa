"""The protocol: the tools over stdio, by MCP's own SDK. Nothing but the protocol leaves by stdout; what a user can put right is one line."""

import argparse
import functools
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import regstudy
from regstudy.console import invocation, terminal
from regstudy.errors import RegstudyError, UsageError

from .answers import safe
from .tools import Parse, Tools

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

MISSING = (
    'the MCP server needs the Python package mcp, 2.1 or newer: pip install "regstudy[mcp]", or in a checkout '
    "pip install -r requirements-mcp.txt"
)
INSTRUCTIONS = (
    "Says whether differences between tracked runs (MLflow) are real or may be chance. Before you keep a change because a metric is better, run both versions with "
    "several seeds, logged as parameter `seed`, and ask compare; `plan` says how many seeds. Open is no Yes. Every configuration that was tried counts: log and keep "
    "them all. Nothing here writes."
)
TOOLS = ("list_experiments", "compare", "verdicts", "plan")
QUIET = "WARNING"
LONGEST = 80
"""Characters of a refused value that are shown."""


def serve(arguments: argparse.Namespace, parse: Parse) -> None:
    """Answer whoever started this process, until they close its stdin."""
    made = server(Tools(parse, arguments.experiments, arguments.snapshots))
    if sys.stdin.isatty():
        terminal.warn("an MCP client is to start this, and speak to it by stdin (docs/guides/agents.md); Ctrl-C ends it")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the SDK would wait for stdin's next line
    made.run("stdio")


def server(tools: Tools) -> "MCPServer":
    """A server with these tools; UsageError without the SDK."""
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
        from mcp.types import ToolAnnotations
    except ImportError:
        raise UsageError(MISSING) from None

    class Server(MCPServer):
        """Whose errors are one line, in the command line's words."""

        async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
            """Call a tool by name."""
            known = {tool.name: list(tool.input_schema["properties"]) for tool in await self.list_tools()}
            strange = [given for given in arguments if given not in known.get(name, arguments)]
            if strange:
                raise ToolError(f"{name}: {strange[0]!r} is no argument of it: expected {', '.join(known[name])}")
            try:
                return await super().call_tool(name, arguments, context)
            except UnexpectedToolError:
                raise
            except ToolError as error:
                raise ToolError(_in_one_line(error, name)) from None

    made = Server("regstudy", version=regstudy.__version__, instructions=INSTRUCTIONS, log_level=QUIET)
    at_once = threading.Lock()
    for name in TOOLS:
        answer = _one_line(getattr(tools, name), at_once, ToolError)
        made.add_tool(answer, annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False), structured_output=True)
    return made


def _one_line(tool: Callable[..., Any], at_once: threading.Lock, error_type: type[Exception]) -> Callable[..., Any]:
    """The tool, one call after the other, whose errors that a user can put right are the SDK's."""

    @functools.wraps(tool)
    def called(**given: Any) -> Any:
        with at_once:
            try:
                return tool(**given)
            except RegstudyError as error:
                raise error_type(invocation.pasteable(safe(str(error)))) from error

    return called


def _in_one_line(error: Exception, name: str) -> str:
    """What the SDK says of arguments takes several; what we say comes with a prefix of its own."""
    from pydantic import ValidationError

    if isinstance(error.__cause__, ValidationError):
        first = error.__cause__.errors()[0]
        place = ".".join(str(part) for part in first["loc"][:1])
        got = "" if first["type"] == "missing" else f", got {safe(repr(first['input']))[:LONGEST]}"
        return f"{name}: {place}: {first['msg'][0].lower()}{first['msg'][1:]}{got}"
    return str(error).removeprefix(f"Error executing tool {name}: ")
