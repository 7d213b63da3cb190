"""The replicas' side of the gateway: kept-alive connections and a response parser."""
