"""Who sends the requests? An open-loop trace replay and a demo of four tenants, over one lean client."""
