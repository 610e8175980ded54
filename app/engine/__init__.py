"""The delivery process: hosts links, hands their outcomes to the database in batches, and keeps the queue moving."""
