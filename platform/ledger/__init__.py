"""What was used, to the last token, and what does it cost? Exactly once, whatever died meanwhile."""
