"""The data reader service and the processors that come with it."""
