"""What happened, and were the promises kept? Series, objectives and decisions, as a Django app.

Until they are stored, figures come from each gateway's admin port.
"""
