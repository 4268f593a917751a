"""The comparison with another MCP server, measured in one run: its environment, the load, the counts, the verdict."""
