"""From a reply to a script, and from a failure back to the model: cleaning, model client, repair loop."""
