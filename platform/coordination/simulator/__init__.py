"""What would this policy have done with that traffic? The rules that serve, under a virtual clock."""
