"""Simulated replicas that speak the OpenAI API, and the demo workload that drives them."""
