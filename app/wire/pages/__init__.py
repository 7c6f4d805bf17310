"""Web pages on their way through the gateway: their addresses, references, header fields and encodings."""
