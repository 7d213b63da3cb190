"""What happened, and were the promises kept? Series, objectives and decisions, as a Django app."""
