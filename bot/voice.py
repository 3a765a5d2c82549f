"""The few sentences that Frontdesk itself says to customers; all others are in the domain. See docs/voice.md."""

SORRY_FAILED = "Sorry, something went wrong on our side, so a colleague will look at your message."
HANDED_OVER = "I'm passing you to a colleague now. You can keep writing here; they'll see everything you've told us."
LEFT_UNANSWERED = "You don't have to answer my questions: I've noted what you've told us so far."
NEXT = "You're next in the queue."
POSITION = "You're number {position} in the queue."
WAIT_SHORT = "It usually takes less than 5 minutes."
WAIT = "It usually takes {least} to {most} minutes."
WAIT_LONG = "It may take more than an hour."
WAIT_UNKNOWN = "Nobody is at the desk this minute, so I can't say how long it will take."
CLOSED = (
    "I'm passing this to a colleague. Our team is away right now and will answer here {when}. "
    "You can keep writing; they'll see everything you've told us."
)
