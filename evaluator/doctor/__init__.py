"""Is this machine fit? Each finding comes with its mend; good and evil programs are run for real."""
