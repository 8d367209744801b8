"""Breaks a desk on purpose and counts what is lost: `manage.py torture`.

    plan -> hands (calls, presses, faults) -> settle -> books of both sides -> compare

Round after round on one desk as `manage.py run` starts it. The simulator knows the truth; whatever
the desk says otherwise when the dust has settled is a loss, however good the excuse.
"""
