"""What operators bring and order: uploads, batches, jobs, accounts, payments, eligibility."""
