"""What do gateways and the control plane say to each other?"""
