"""The tools that clients call: each declared once, all run through one pipeline."""
