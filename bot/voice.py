"""The few sentences that Frontdesk itself says to customers; all others are in the domain. See docs/voice.md."""

SORRY_FAILED = "Sorry, something went wrong on our side, so a colleague will look at your message."
HANDED_OVER = "I'm passing you to a colleague now. You can keep writing here; they'll see everything you've told us."
LEFT_UNANSWERED = "You don't have to answer my questions: I've noted what you've told us so far."
NEXT = "You're next in the queue."
POSITION = "You're number {position} in the queue."
WAIT_MINUTES = "The wait is about {minutes} minutes at the moment."
WAIT_MINUTE = "The wait is about a minute at the moment."
CLOSED = (
    "I'm passing this to a colleague. Our team is away right now and will answer here {when}. "
    "You can keep writing; they'll see everything you've told us."
)
