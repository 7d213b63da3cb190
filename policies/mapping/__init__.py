"""Where do rows become values, and values rows?"""
