"""Which gateways are there, in which environment and ring, and who are they?"""
