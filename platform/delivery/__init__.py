"""Which bundle and directory should each gateway run, how does it get them, and what does it run now?"""
