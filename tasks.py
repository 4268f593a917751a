"""The root of every command: `./inv NAME`, or `invoke NAME` in the activated environment."""

from invoke import Collection

namespace = Collection()
