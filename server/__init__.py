"""The Quartermaster MCP server: tenant-isolated, rate-limited access to OrderDesk for AI clients."""

__version__ = "0.1.0"
