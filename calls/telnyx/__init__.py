"""The only code that knows a Telnyx URL, header or error code.

Imports nothing of ours, and no Django.
"""
