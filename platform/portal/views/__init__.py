"""What is on each of a tenant's screens? One module for each part of the portal."""
