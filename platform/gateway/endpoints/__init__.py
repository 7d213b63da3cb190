"""The endpoints a model answers: what is read of a request to each, and what is edited in its answer."""
