"""Live probes of `./inv audit`: what a server does when it is asked what it must not answer."""
