"""How does the text of a file become trees, and a place in a tree a place in the file?"""
