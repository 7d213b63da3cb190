"""How does policy travel: signed, content-addressed, verified to the last byte before it is served?"""
