"""The tool `add` on FastMCP: stateless, JSON answers, no sign-in, one uvicorn process without an access log."""

import socket

import uvicorn
from fastmcp import FastMCP
from fastmcp.tools import ToolResult
from mcp_types import TextContent

mcp = FastMCP("python-peer")

OUTPUT = {"type": "object", "required": ["sum"], "properties": {"sum": {"type": "number"}}}


@mcp.tool(output_schema=OUTPUT)
def add(a: float, b: float) -> ToolResult:
    """Adds two numbers."""
    total = int(a + b)
    return ToolResult(content=[TextContent(type="text", text=str(total))], structured_content={"sum": total})


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
app = mcp.http_app(path="/mcp", stateless_http=True, json_response=True)
config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_keep_alive=600)
# Whoever comes before the server runs waits in the socket's queue.
listener.listen(1024)
print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
uvicorn.Server(config).run(sockets=[listener])
