"""Measures the desk on the machine at hand: `manage.py bench [intake|click|memory ...]`.

Every figure comes from servers of its own in a folder of its own, and from one run: what is
compared is compared in the same minutes, and a run in which the comparison fails is marked void.
"""
