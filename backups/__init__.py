"""Backups that count only once they were restored, opened by the real server and found equal to what was there."""
