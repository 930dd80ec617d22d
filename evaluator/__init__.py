"""The command line, the journal, the numbers and the reports: everything is put together here."""
