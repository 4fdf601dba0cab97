"""`scripts/bench`: what the OpenNebula provider and zonebox cost, in requests and seconds, beside bare calls.

It measures and reports; what is good enough is said by the limits in `report.py` and held by a test.
"""
