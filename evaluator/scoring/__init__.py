"""Single scripts and files of solutions: what run, score and clean work on."""
