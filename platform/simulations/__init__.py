"""What would this policy have done? Traces, scenarios, and simulations as work that survives its workers."""
