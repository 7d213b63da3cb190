"""What does every part of the console stand on? Evidence, events that survive, and one shape of error."""
