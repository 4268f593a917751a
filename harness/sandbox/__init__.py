"""An emulator of the OrderDesk v2 API with a deterministic catalogue, a journal of what it applied, and faults."""
