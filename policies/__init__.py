"""Which policies hold, since when and by whose hand? Documents, revisions and builds.

A policy object is its document; there is no second copy to keep in step. Everything but ``Head`` and
``EnvironmentHead`` is immutable and named by its digest; these two say what is current, and only
``policies.services.merge`` moves them.
"""
