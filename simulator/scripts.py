"""What people say: callers with names and numbers, agents, and the conversations they have.

Every name, number and card here is invented; the numbers are of the fictional 555-01xx kind.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

# fmt: off
FIRST_NAMES = (
    "Jordan", "Maria", "Sam", "Priya", "Alex", "Nina", "Omar", "Lucy", "Peter", "Grace",
    "Hassan", "Elena", "Tom", "Ruth", "Daniel", "Sofia", "Victor", "Amy", "Carlos", "Helen",
)
LAST_NAMES = (
    "Smith", "Garcia", "Okafor", "Patel", "Novak", "Weber", "Rossi", "Lindqvist", "Haddad",
    "Moreau", "Tanaka", "Brown", "Silva", "Kowalski", "Murphy", "Fischer", "Ahmed", "Larsen",
    "Costa", "Young",
)
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)
# fmt: on
AGENTS = ("Dana", "Chris", "Noor", "Felix", "Bea", "Ravi", "Ines", "Kofi")
COMPANY = "Northwind"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class Line(NamedTuple):
    """A line of a conversation, and the silence after it in seconds."""

    party: str
    text: str
    gap_s: float


def caller_name(chance: random.Random) -> str:
    """Return a caller's name as a telephone shows it."""
    return f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}".upper()


def caller_number(chance: random.Random) -> str:
    """Return a number that belongs to nobody."""
    return f"+1312555{chance.randrange(100, 200):04d}"


def spell(digits: str) -> str:
    """Return digits as they are read out, in groups of four."""
    groups = [digits[start : start + 4] for start in range(0, len(digits), 4)]
    return ", ".join(" ".join(DIGITS[int(digit)] for digit in group) for group in groups)


SCENARIOS: dict[str, str] = {
    "billing": """
        A: Thank you for calling {company}, this is {agent}. How can I help you today?
        C: Hi {agent}, my name is {name}. I have a question about my last invoice.
        A: Of course. Could I have the invoice number, please?
        C: Yes, it is {order}.
        A: Thank you. I can see it here. What looks wrong to you?
        C: There is a charge of {amount} dollars for express delivery, and I never asked for that.
        A: I understand. Let me check the order for you. One moment, please.
        C: Sure, take your time.
        A: You are right, the delivery was booked as standard. I am sorry about that.
        C: So can you take it off the invoice?
        A: Yes. I have issued a credit of {amount} dollars. It takes three working days.
        C: That was quick. Thank you very much.
        A: You are welcome. Is there anything else I can do for you?
        C: No, that is all. Have a nice day.
        A: You too. Goodbye.
        """,
    "delivery": """
        A: {company} customer service, {agent} speaking.
        C: Hello, this is {name}. My parcel was due on {weekday} and is still not here.
        A: I am sorry to hear that. What is your order number?
        C: The number is {order}.
        A: Let me look that up. It left our warehouse two days ago.
        C: The tracking page has not changed since then.
        A: I see that too. The driver could not find your house and took it back to the depot.
        C: That is strange. They have delivered here many times.
        A: I can send it out again tomorrow between nine and twelve. Would that suit you?
        C: Could it be in the afternoon? I work in the morning.
        A: Yes, between two and five is also possible. I have booked that for you.
        C: Great. Will I get a message?
        A: You will receive a text message half an hour before the driver arrives.
        C: Perfect. Thanks for your help.
        A: My pleasure. Goodbye, {first}.
        """,
    "password": """
        A: Good afternoon, {company} support, my name is {agent}.
        C: Hi, I cannot sign in to my account. It says that my password is wrong.
        A: I can help you with that. May I have your name, please?
        C: It is {name}.
        A: Thank you, {first}. Have you tried the reset link on the sign in page?
        C: Yes, twice, but the message never comes.
        A: Let me check which address we have. Is it still the one at example dot com?
        C: Oh, no, that is my old address. I changed it in {month}.
        A: Then I will update it. But first, what is the answer to your secret question?
        C: The name of my first dog was Biscuit.
        A: That is correct. I have changed the address and sent you a new link.
        C: It just arrived. Let me try it. Yes, I am in!
        A: Wonderful. Please choose a long password that you do not use anywhere else.
        C: I will. Thank you so much.
        """,
    "card payment": """
        A: {company} payments, you are speaking with {agent}.
        C: Hello, this is {name}. I would like to pay my open balance.
        A: Certainly. I see an amount of {amount} dollars. Would you like to pay by card?
        C: Yes, please.
        A: Then please read me the long number on the front of the card.
        C: It is {card}.
        A: Thank you. And the expiry date?
        C: {month}, twenty twenty nine.
        A: And the three digits on the back, please.
        C: {cvc}.
        A: Thank you. The payment has gone through. Your confirmation number is {order}.
        C: Let me write that down. Okay, I have it.
        A: You will also get a receipt by mail. Is there anything else?
        C: No, that is everything. Goodbye.
        A: Goodbye, and thank you for your payment.
        """,
    "complaint": """
        A: Thank you for holding. This is {agent} at {company}. What can I do for you?
        C: I have been waiting for twenty minutes, and this is my third call about the same thing!
        A: I am very sorry. Tell me what happened, and I will stay with it until it is solved.
        C: The coffee machine I bought in {month} stopped working after a week.
        A: That must be annoying. Did you receive a replacement?
        C: Yes, and the replacement leaks. My kitchen floor was under water.
        A: That should never have happened. I would like to offer you a full refund.
        C: And who pays for the floor?
        A: Please send us a photo and the repair bill. I will pass it to our claims team myself.
        C: I want a name and a direct number this time.
        A: Of course. My name is {agent}, and your case number is {order}.
        C: All right. If I do not hear from you by {weekday}, I will cancel everything.
        A: I understand. You will hear from me tomorrow morning.
        """,
    "sales": """
        A: Welcome to {company}, this is {agent} in sales.
        C: Hi, I am {name}. We are a small office with twelve people, and we need a new phone plan.
        A: Great that you are calling. How many lines would you need?
        C: Four lines, and we would like to have our calls recorded.
        A: That is included in the team plan, which is {amount} dollars a month.
        C: Is there a minimum term?
        A: No, you can cancel at the end of any month.
        C: And how long does it take until it works?
        A: Usually one working day. You keep your numbers.
        C: That sounds good. Could you send me an offer?
        A: Gladly. I will send it today and call you back on {weekday}. Is that all right?
        C: Yes, {weekday} is fine. Thanks a lot.
        A: Thank you for your interest, {first}. Goodbye.
        """,
}
ANSWERING = """
    C: Hello?
    C: Yes, this is {name} speaking.
    C: I see. Could you please repeat that?
    C: All right, thank you. I will think about it.
    """


def conversation(chance: random.Random, scenario: str, name: str) -> Iterator[Line]:
    """Yield one conversation, its blanks filled in."""
    return _lines(chance, SCENARIOS[scenario], name)


def monologue(chance: random.Random, name: str) -> Iterator[Line]:
    """Yield what somebody says who has been called and hears nobody talk."""
    return _lines(chance, ANSWERING, name)


def endless(chance: random.Random, name: str) -> Iterator[Line]:
    """Yield conversation after conversation, for a call that lasts until it is hung up."""
    while True:
        yield from conversation(chance, chance.choice(tuple(SCENARIOS)), name)


def _lines(chance: random.Random, text: str, name: str) -> Iterator[Line]:
    full_name = name.title()
    blanks = {
        "company": COMPANY,
        "agent": chance.choice(AGENTS),
        "name": full_name,
        "first": full_name.split()[0],
        "order": spell(f"{chance.randrange(10**6):06d}"),
        "amount": chance.choice(("twelve", "nineteen", "forty", "sixty five", "ninety")),
        "weekday": chance.choice(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")),
        "month": chance.choice(MONTHS),
        "card": spell("4111111111111111"),  # the card number that every test system uses
        "cvc": spell(f"{chance.randrange(1000):03d}"),
    }
    for line in text.strip().splitlines():
        party, words = line.strip().split(": ", 1)
        speaker = "agent" if party == "A" else "customer"
        yield Line(speaker, words.format(**blanks), round(chance.uniform(0.3, 1.2), 2))
