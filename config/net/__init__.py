"""What leaves this process for addresses that a tenant names."""
