"""What all services stand on: bootstrap, life cycle, events, logging, errors."""
