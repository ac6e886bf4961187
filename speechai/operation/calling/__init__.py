"""The life of a call: waves, dispatch, dialing, following, settling, the news of the provider."""
