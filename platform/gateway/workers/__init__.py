"""How do several processes serve one port and keep to one set of rules?

The parent holds everything there is one of: the rules' state, the journal, the explanations, the counters,
the console. Workers do what is done with bytes (HTTP, TLS, JSON, hashes, streams) and ask it, over a
Unix socket, for every decision (decision 86). So a limit, a share or a run means the same with one process
and with ten.
"""
