"""The toolkit around the server: targets, clients, run records, reports, the sandbox and the nightly run."""
