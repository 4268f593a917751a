"""The embedded database: tables, connections and migrations."""
