"""What runs inside a Flower VM: it reads the CONTEXT, decides a plan, applies it and proves that it works.

It knows neither Pulumi nor the cloud's emulation, and needs only the standard library, cryptography and requests.
"""
