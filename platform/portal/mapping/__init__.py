"""What a tenant's screens show, made of what selectors find: figures with units, words for codes."""
