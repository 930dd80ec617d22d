"""Tasks and templates: Markdown in, messages out."""
