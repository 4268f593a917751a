"""`inv audit`: whether this may ship, never answered yes because something did not run."""
