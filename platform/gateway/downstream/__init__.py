"""The client's side of the gateway: strict HTTP/1.1 over asyncio protocols."""
