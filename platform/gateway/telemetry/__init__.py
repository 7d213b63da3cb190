"""What does a gateway tell its console each second, and what if the console does not listen?"""
