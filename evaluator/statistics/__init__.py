"""The numbers of runs, with their uncertainty, and what two runs may be told apart by."""
