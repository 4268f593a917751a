"""The one ASGI layer around everything that the server answers."""
