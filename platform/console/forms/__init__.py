"""What can be typed, and what does it come to? Forms made of the language's shapes, and a few small ones."""
