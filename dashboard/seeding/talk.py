"""What people say to a contact centre: sentences by topic, with words as unequal as in life.

A few words are in most calls; many, such as surnames and order numbers, are in a few.
"""

import random
from dataclasses import dataclass
from itertools import product

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "March", "April", "June", "August", "October", "December")
FIRST = (
    *("Laura", "Ahmed", "Sofia", "Daniel", "Mei", "Olivia", "Tomas", "Fatima", "Noah", "Ingrid"),
    *("Ravi", "Chloe", "Mateo", "Hannah", "Yusuf", "Elena", "Patrick", "Aisha", "Lukas", "Grace"),
)
THINGS = (
    *("headset", "router", "kettle", "printer", "blanket", "lamp", "charger", "keyboard"),
    *("backpack", "mattress", "bicycle", "espresso machine", "vacuum cleaner", "dishwasher"),
    *("thermostat", "doorbell", "armchair", "tablet", "wardrobe", "microwave"),
)
STREETS = ("Chestnut", "Victoria", "Riverside", "Orchard", "Mulberry", "Station", "Harbour")
SYLLABLES = (
    ("Ka", "Lin", "Mar", "Oko", "Ben", "Vas", "Tor", "Had", "Pel", "Sor", "Dra", "Fitz", "Mon"),
    ("ra", "de", "li", "mo", "ta", "ne", "bu", "so", "vi", "ga", "per", "wen", "dal"),
    ("ner", "quist", "sky", "ford", "chetti", "mann", "well", "ova", "for", "sen", "berg", "dias"),
    ("", "", "s", "ez", "us", "en", "ley"),
)
SURNAMES = tuple("".join(parts) for parts in product(*SYLLABLES))  # some 14,000
OPENING = (
    "Thank you for calling, my name is {first}, how can I help you today?",
    "Good morning, you are speaking with {first}, what can I do for you?",
    "Hello, this is {first} from customer service, thanks for holding.",
)
CLOSING = (
    "Is there anything else I can help you with today?",
    "No, that was everything, thank you very much.",
    "You are welcome, have a nice {day} and goodbye.",
    "Thank you for your patience, goodbye.",
)
SMALL_TALK = (
    "Could you give me your account number, please?",
    "The account number is {number}.",
    "May I have your last name? It is {surname}, {first} {surname}.",
    "One moment please, I am looking at your account.",
    "I have been waiting on the line for almost {few} minutes.",
    "I am sorry about that, we are short of staff this week.",
    "Could you repeat that for me, please?",
    "Yes, that is right.",
    "I see it here on my screen now.",
    "The address is {few} {street} Street, on the third floor.",
    "I already called last {day} and nobody called me back.",
    "I will make a note of that on your account.",
    "Can you send me a confirmation by email?",
    "I will put you on hold for a minute while I check.",
    "Thank you for holding, I have good news.",
    "My colleague {first} told me something different.",
)
TOPICS: dict[str, tuple[str, ...]] = {
    "billing": (
        "The invoice from {month} says {amount} dollars, and I only ordered one {thing}.",
        "You charged my credit card twice for the same order.",
        "I can see two payments of {amount} dollars on {day}.",
        "I will refund the second payment to your credit card.",
        "The refund takes three to five business days.",
        "Can I pay the invoice in two instalments?",
        "The discount was not applied to my bill.",
        "We never received the payment you are talking about.",
    ),
    "delivery": (
        "My parcel with the {thing} should have arrived last {day}.",
        "The order number is {number}.",
        "The driver left the package with our neighbour.",
        "The tracking page has said the same thing since {day}.",
        "I will open an investigation with the carrier.",
        "We can send a new {thing} today, without charge.",
        "Can you deliver it before {day} noon?",
        "The box was open and the {thing} was damaged.",
    ),
    "returns": (
        "I would like to return the {thing} I bought in {month}.",
        "It stopped working after {few} days.",
        "You can send it back within thirty days for a full refund.",
        "I will email you a return label.",
        "Do I get my money back, or only a voucher?",
        "The warranty covers that, so the repair is free.",
    ),
    "appointments": (
        "I would like to move my appointment from {day} to the afternoon.",
        "We have a free slot at half past {few}.",
        "Doctor {surname} is on holiday until {month}.",
        "Please keep in mind that cancellations need to reach us a day in advance.",
        "I will take the slot in the morning.",
        "Do I have to bring my insurance card?",
    ),
    "support": (
        "The {thing} does not switch on any more.",
        "Have you tried to restart it and wait for a minute?",
        "The light on the front is blinking red.",
        "The error says code {number}.",
        "I have restarted the router {few} times.",
        "I will send a technician on {day} between eight and noon.",
        "Please hold the button for ten seconds.",
        "Now it is connected again, wonderful.",
    ),
    "cancellation": (
        "I want to cancel my subscription at the end of {month}.",
        "May I ask why you would like to cancel?",
        "It has become too expensive, {amount} dollars a month is a lot.",
        "I can offer you three months at half the price.",
        "No, please cancel it as I said.",
        "You will receive the cancellation in writing.",
    ),
    "insurance": (
        "I would like to report a claim for water damage.",
        "The policy number is {number}.",
        "It happened on {day} evening in the kitchen.",
        "An assessor, Mister {surname}, will visit you next week.",
        "The deductible for your policy is {amount} dollars.",
        "Please take photographs of everything.",
    ),
    "complaint": (
        "I want to speak to a supervisor, this is unacceptable.",
        "I am not happy with the way I was treated by Mister {surname}.",
        "I understand that you are upset, and I apologise.",
        "If this is not solved by {day}, I will dispute the charge with my bank.",
        "I will escalate it to my manager {first} {surname}.",
        "You will get a written answer within ten days.",
    ),
    "fraud": (
        "Somebody used my card for {amount} dollars in a shop I do not know.",
        "I have blocked the card for you just now.",
        "We will start a chargeback for the transaction.",
        "Please never read your security code to anybody.",
        "A new card will be with you in {few} days.",
    ),
    "conscience": (
        "I am calling as a whistleblower and would like to stay anonymous.",
        "The records of {month} were changed afterwards.",
    ),
}
MOST = 28  # sentences
WEIGHTS = (260, 220, 140, 120, 110, 60, 40, 34, 15, 0.02)  # calls in a thousand


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, who says it and when, in a file of some length."""

    text: str
    side: int  # 0: the customer, 1: the agent
    start_ms: int
    end_ms: int


def conversation(chance: random.Random, length_ms: int) -> list[Sentence]:
    """Return what is said in a call of some length; long calls have their silences."""
    (topic,) = chance.choices(tuple(TOPICS.values()), WEIGHTS)
    count = max(2, min(MOST, length_ms // 9_000))
    told = min(len(topic), (count - 1) // 2)
    chatted = min(len(SMALL_TALK), count - 2 - told)
    middle = [*chance.sample(topic, told), *chance.sample(SMALL_TALK, chatted)]
    chance.shuffle(middle)
    templates = [chance.choice(OPENING), *middle, chance.choice(CLOSING)]
    count = len(templates)
    slot_ms = length_ms // count
    return [
        Sentence(_fill(template, chance), place % 2 ^ 1, place * slot_ms, _end(place, slot_ms))
        for place, template in enumerate(templates)
    ]


def _end(place: int, slot_ms: int) -> int:
    return place * slot_ms + min(slot_ms * 4 // 5, 6_000)


def _fill(template: str, chance: random.Random) -> str:
    if "{" not in template:
        return template
    return template.format(
        first=FIRST[int(len(FIRST) * chance.random())],
        surname=SURNAMES[int(len(SURNAMES) * chance.random() ** 3)],
        day=DAYS[int(7 * chance.random())],
        month=MONTHS[int(len(MONTHS) * chance.random())],
        thing=THINGS[int(len(THINGS) * chance.random() ** 2)],
        street=STREETS[int(len(STREETS) * chance.random())],
        amount=int(9 + 900 * chance.random() ** 3),
        few=int(2 + 28 * chance.random()),
        number=int(10_000 + 990_000 * chance.random()),
    )
