"""From a reply to a script: find the answer, mend its form, edit what parses."""
