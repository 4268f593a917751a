"""The reference pages and templates, generated from the declarations: settings, tools, errors."""
