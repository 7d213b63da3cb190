"""What is known about one tenant? Each module reads of one source; every one takes the tenant's path."""
