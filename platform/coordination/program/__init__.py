"""What does a compiled policy look like, on disk and in a gateway's memory?"""
