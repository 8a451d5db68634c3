"""The demo: a simulated car whose session is written, read live, read again as history, and compared bit for bit."""
