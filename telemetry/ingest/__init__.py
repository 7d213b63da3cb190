"""How do gateways' batches come in?"""
