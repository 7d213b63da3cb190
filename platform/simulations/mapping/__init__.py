"""Where do rows become what the simulator takes, and what it found something to show?"""
