"""What happens to one request: is it admitted, when does it go, where, and what does it cost?"""
