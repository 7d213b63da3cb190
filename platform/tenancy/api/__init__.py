"""Who calls the REST API? A person's session, or a program's service token."""
