"""Writes to OrderDesk: recorded before they are sent, settled after, looked up when nobody knows, and reverted."""
