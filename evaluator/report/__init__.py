"""What a person sees of a run: terminal tables, summary.json, Markdown and one offline HTML page."""
