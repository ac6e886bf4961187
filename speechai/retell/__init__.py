"""The provider: client, webhook signature, and a simulator of it."""
