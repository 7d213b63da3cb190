"""What can be wrong between objects. One rule a module, one page, one table of tests."""

MODULES = ()
