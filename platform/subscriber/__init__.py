"""How does a gateway get its bundle and directory, keep them, and say what it runs? No Django here."""
