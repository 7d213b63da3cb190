"""What does a screen see while it happens? One hub in each web process; the same frames on every one."""
