"""Commands for the people who work on Yuanbo, and the steps of its set-up."""
