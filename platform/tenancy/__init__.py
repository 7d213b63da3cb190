"""Who may sign in, and for which tenant?"""
