"""MCP: one dispatcher for both eras, and its two transports, Streamable HTTP and stdio."""
