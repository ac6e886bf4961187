"""What the calls came to: metrics and reports."""
