"""`python -m bot.cli`, the same as `frontdesk`."""

from bot.cli import main

if __name__ == "__main__":  # a process that this one spawns reads the file again
    main()
