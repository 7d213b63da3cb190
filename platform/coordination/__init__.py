"""The pure core: what does the policy say, does it hold, and what happens to this request?

No Django, no clock, no network, no environment. Time and seeds are arguments.
"""
