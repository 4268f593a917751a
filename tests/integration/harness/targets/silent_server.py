"""A server that says it listens, and answers nobody."""

import json
import signal
import socket
import sys

if __name__ == "__main__":
    with socket.socket() as holder:  # bound, and never listening: every connection is refused
        holder.bind(("127.0.0.1", 0))
        sys.stdout.write(json.dumps({"event": "server.listening", "port": holder.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        signal.pause()
