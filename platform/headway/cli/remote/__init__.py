"""How do `plan`, `apply`, `status` and `rollback` ask a console, and wait for its gateways?"""
