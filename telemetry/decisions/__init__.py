"""Why was a request refused, slow, or sent there? The explanations gateways handed on, and who may read them.

``services.record`` takes them, ``selectors`` finds them, ``sweep`` forgets them; ``advice`` says what a
caller can do about a refusal. A prompt is in none of them: gateways never put one in.
"""
