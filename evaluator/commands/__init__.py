"""One module per command, each loaded only when it is called."""
