"""The MCP server: what a coding agent may ask, read-only. `answers` are what it gets, `tools` gives them, by the command line's own options; `server` speaks the protocol.

Change here what a tool is called, takes or answers. Only `server` knows the SDK, which is an extra.
"""
