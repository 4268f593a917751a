"""OrderDesk as seen from here: its API, its rate limit, its habits (see docs on the client contract)."""
