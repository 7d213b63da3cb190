"""What does an operator look at? Screens that span apps; no models."""
