"""What is said and played into calls.

phrases   texts with {variables}, filled for the call when they are sent
voices    Telnyx's list as rows, asked anew each day
media     our files, kept alive at Telnyx
queue     what was asked of a leg and has not ended, from commands and facts
"""
