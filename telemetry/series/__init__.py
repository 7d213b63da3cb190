"""What did gateways count, by second and by minute, and what do the counts say?"""
