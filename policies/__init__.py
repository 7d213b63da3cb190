"""Which policies hold, since when and by whose hand? Documents, revisions and builds, as a Django app.

Until they are stored, a policy set is a folder of YAML read by ``coordination.spec``.
"""
