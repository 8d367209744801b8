"""Sentences people say on the telephone to a clinic, a shop, a landlord: for generated speech."""

import random
from collections.abc import Iterator, Sequence

NAMES = [
    "Kowalczyk",
    "Nakamura",
    "Lindqvist",
    "Okafor",
    "Fitzgerald",
    "Delacroix",
    "Marchetti",
    "Abernathy",
]
STREETS = [
    "Chestnut",
    "Victoria",
    "Riverside",
    "Lincoln",
    "Orchard",
    "Wellington",
    "Mulberry",
    "Station",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
THINGS = [
    "printers",
    "lamps",
    "headsets",
    "cartridges",
    "blankets",
    "kettles",
    "batteries",
    "keyboards",
]
SENTENCES = (
    "Thank you for calling the harbour clinic, my name is Laura, how can I help you today?",
    "I would like to move my appointment from {day} to {other} afternoon.",
    "Let me have a look at the calendar for you, one moment please.",
    "The invoice says {some} dollars but I only ordered two boxes of {things}.",
    "My order number is {many} and the parcel should have arrived last {day}.",
    "Could you spell your last name for me, please?",
    "It is {name}, and my first name is Agnieszka.",
    "We have a free slot at 10:30 in the morning or at a quarter past four.",
    "That sounds good, I will take the one in the morning.",
    "I have been waiting on the line for almost twenty minutes now.",
    "I am very sorry about that, we are short of staff this week.",
    "The delivery address is {few} {street} Street, on the third floor.",
    "Do you want me to send the confirmation by email or by text message?",
    "Email is fine, you already have my address in your system.",
    "The heating in our apartment has not been working since {day} night.",
    "I will send a technician to your building before the end of the day.",
    "Please keep in mind that cancellations need to reach us a day in advance.",
    "My insurance number starts with 88 and ends with 1903.",
    "Is there anything else that I can do for you?",
    "No, that was everything, thank you very much for your help.",
    "You're welcome, have a wonderful weekend and goodbye.",
    "The driver left the package with our neighbour across the road.",
    "We charge 3.5 percent for payments with foreign credit cards.",
    "Your refund of ${few}.{cents} will be on your account within five working days.",
    "I spoke with a colleague of yours called Siobhan on the 12th of March.",
    "The router keeps losing the connection every time it rains.",
    "Have you tried switching it off and on again?",
    "Of course I did, three times, and nothing changed at all.",
    "Then I'd suggest that we replace the device free of charge.",
    "The warranty on that washing machine ended in 2019, unfortunately.",
    "Can I talk to your supervisor about the contract renewal?",
    "She is in a meeting right now, but I can ask her to call you back.",
    "What would be the best time to reach you tomorrow?",
    "Any time after lunch, but before the children come home from school.",
    "There's a strange noise coming from the kitchen ceiling.",
    "It might be the water pipes, did you notice any damp spots?",
    "Yes, a brown stain about the size of a dinner plate.",
    "Turn off the main valve under the sink until the plumber arrives.",
    "I'm calling on behalf of my mother, who doesn't speak English very well.",
    "For security reasons I need to verify her date of birth first.",
    "The tickets for the concert were supposed to be refunded in April.",
    "A voucher has been sent out, but it seems it came back to us.",
)

ANOTHER_CALL = (
    "Good evening, you have reached the northern railway lost property office.",
    "I left a green umbrella and a folder of drawings on the train to Bristol.",
    "Which carriage were you sitting in, and did you change anywhere?",
    "The second one behind the engine, right beside the luggage rack.",
    "Our cleaners hand everything over at the terminus shortly before midnight.",
    "There is an umbrella on my list, though it seems to be navy blue.",
    "Mine has a wooden handle that is carved like the head of a duck.",
    "Then somebody must have taken it along by mistake.",
    "Does the folder carry a label, or perhaps the stamp of a museum?",
    "It belongs to an architect who is building a bridge over the estuary.",
    "You would have to prove that you may collect it on his behalf.",
    "Could you keep it locked away until he returns from Norway?",
    "We store items for ninety days, after which they go to auction.",
    "May I describe a pair of binoculars that my daughter forgot as well?",
    "Those were found between two seats by a guard named {name}.",
    "She will be thrilled, they were a present from her grandfather.",
    "Bring a passport or a driving licence to window {few}, please.",
    "Is the counter open during the public holiday on {day}?",
    "Only until lunchtime, since half of us are off to the seaside.",
    "How much do you charge for returning things by courier?",
    "Roughly twelve pounds, depending on weight and destination.",
    "That seems fair enough, considering what those sketches are worth.",
    "Shall I note down the number of your mobile in case it turns up?",
    "Certainly, though reception is dreadful where we are camping.",
    "Leave a message with the farmer, he walks past our tent every evening.",
    "Splendid, I shall ring you as soon as the night shift has finished.",
)


def conversation(chance: random.Random, sentences: Sequence[str] = SENTENCES) -> Iterator[str]:
    """Yield sentences without end; each comes once before any comes again."""
    while True:
        for sentence in chance.sample(sentences, len(sentences)):
            day, other = chance.sample(DAYS, 2)
            yield sentence.format(
                name=chance.choice(NAMES),
                street=chance.choice(STREETS),
                day=day,
                other=other,
                things=chance.choice(THINGS),
                few=chance.randrange(2, 99),
                some=chance.randrange(100, 999),
                many=chance.randrange(1000, 9999),
                cents=chance.randrange(10, 99),
            )
