"""What happened in each session, before anything is explained: which pair was in use, how it ended, and in stages."""
